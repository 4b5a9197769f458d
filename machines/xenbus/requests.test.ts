import { expect, test } from 'vitest';
import { DOMID_INVALID } from '../../events/units.ts';
import { isNumber, keyDomid, keyNumber } from './requests.ts';

// Regression: a guest that wrote its own `backend-id` put NaN into a logged command, or hung the log with Infinity.
test.each([undefined, '', 'abc', '-1', ' 1', '1e9', 'Infinity', 'NaN', '0x10', '1.5', '99999999999'])(
  'the key %o is no number',
  (key) => {
    expect(isNumber(key)).toBe(false);
    expect(keyNumber(key)).toBe(0);
    expect(keyDomid(key)).toBe(DOMID_INVALID);
  },
);

test.each(['0', '8', '32752'])('the key %o is one', (key) => {
  expect(keyNumber(key)).toBe(Number(key));
  expect(keyDomid(key)).toBe(Number(key));
});
