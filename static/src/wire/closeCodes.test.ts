import { expect, it } from 'vitest';
import { closePolicy } from './closeCodes';

it.each([
  [1000, 'reconnect'], [1001, 'reconnect'], [1006, 'reconnect'], [1009, 'reconnect'], [1012, 'reconnect'],
  [4001, 'stop'], [4003, 'stop'], [4008, 'reconnect'], [4009, 'refresh_and_reconnect'], [4010, 'reconnect'],
  [4029, 'reconnect'], [4400, 'stop'], [4500, 'reconnect'], [4999, 'reconnect'],
])('close code %i means %s', (code, action) => {
  expect(closePolicy(code).action).toBe(action);
});

it('starts with longer waits where the hub asked for fewer requests', () => {
  expect(closePolicy(4029).first_attempt).toBeGreaterThan(closePolicy(1006).first_attempt);
});
