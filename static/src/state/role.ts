import { isReceiving } from '../wire/connectionState';
import { useConnection } from './context';

/** Why this person cannot change anything at present; `null` when they can. `what` is said after "may". */
export function useRefusal(what: string): string | null {
  const connection = useConnection();
  if (!isReceiving(connection)) return 'There is no connection to the hub.';
  const role = connection.hello?.role;
  if (role === undefined) return 'The hub has not said yet who you are.';
  return role === 'admin' || role === 'operator' ? null : `Only operators and admins may ${what}; you are a ${role}.`;
}
