import { isReceiving } from '../wire/connectionState';
import { useConnection } from './context';

const OPERATORS = ['operator', 'admin'];
export const ADMINS = ['admin'];

/** Why this person cannot do something at present; `null` when they can. `what` is said after "may". */
export function useRefusal(what: string, roles: readonly string[] = OPERATORS): string | null {
  const connection = useConnection();
  if (!isReceiving(connection)) return 'There is no connection to the hub.';
  const role = connection.hello?.role;
  if (role === undefined) return 'The hub has not said yet who you are.';
  return roles.includes(role) ? null : `Only ${roles.map((one) => `${one}s`).join(' and ')} may ${what}; you are ${/^[aeiou]/.test(role) ? 'an' : 'a'} ${role}.`;
}
