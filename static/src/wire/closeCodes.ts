/** What the console does after the hub closed the socket. */
export type CloseAction = 'reconnect' | 'refresh_and_reconnect' | 'stop';

export interface ClosePolicy {
  readonly action: CloseAction;
  /** Shown to people. */
  readonly reason: string;
  /** Back-off attempt to start from: a hub that asks for less gets longer waits at once. */
  readonly first_attempt: number;
}

const POLICIES: ReadonlyMap<number, ClosePolicy> = new Map<number, ClosePolicy>([
  [1000, { action: 'reconnect', reason: 'The hub closed the connection', first_attempt: 0 }],
  [1001, { action: 'reconnect', reason: 'The hub is going away', first_attempt: 0 }],
  [1006, { action: 'reconnect', reason: 'The hub cannot be reached', first_attempt: 0 }],
  [1009, { action: 'reconnect', reason: 'A frame was too large', first_attempt: 2 }],
  [1012, { action: 'reconnect', reason: 'The hub is restarting', first_attempt: 0 }],
  [4001, { action: 'stop', reason: 'Another window took this session over', first_attempt: 0 }],
  [4003, { action: 'stop', reason: 'The hub does not allow this connection', first_attempt: 0 }],
  [4008, { action: 'reconnect', reason: 'This browser read too slowly', first_attempt: 0 }],
  [4009, { action: 'refresh_and_reconnect', reason: 'The access token expired', first_attempt: 0 }],
  [4010, { action: 'reconnect', reason: 'The hub heard nothing from this browser', first_attempt: 0 }],
  [4029, { action: 'reconnect', reason: 'Too many requests', first_attempt: 4 }],
  [4400, { action: 'stop', reason: 'The hub refused the frames of this console', first_attempt: 0 }],
  [4500, { action: 'reconnect', reason: 'The hub had an internal error', first_attempt: 1 }],
]);

/** The policy of a close code; a code that is not in the table means reconnect. */
export function closePolicy(code: number): ClosePolicy {
  return POLICIES.get(code) ?? { action: 'reconnect', reason: `The connection closed (${code})`, first_attempt: 0 };
}
