import { expect, test } from 'vitest';
import { parseConfig } from './parse.ts';

const settings = (text: string) => {
  const parsed = parseConfig(text, 'f');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.errors));
  return parsed.settings;
};

test.each([
  ['12', 12n],
  ['0x1F', undefined], // Upper case is no number to the lexer; a quoted one is.
  ['"0x1F"', 31n],
  ['010', 8n],
  ['08', 'EINVAL'],
  ['" -5"', -5n],
  ['"5 "', 'EINVAL'],
  ['""', 'EINVAL'],
  ['[5]', 'EINVAL'],
  ['9223372036854775807', 9223372036854775807n],
  ['9223372036854775808', 'ERANGE'],
  ['99999999999999999999999999999999999999', 'ERANGE'],
])('getLong of %s', (text, expected) => {
  const parsed = parseConfig(`a = ${text}\n`, 'f');
  const got = parsed.ok ? parsed.settings.getLong('a') : undefined;
  expect(got && (got.ok ? got.value : got.errno)).toEqual(expected);
});

test('a number that += has touched is none; a key that is not set is ESRCH', () => {
  expect(settings('a = 1\na += 2').getLong('a')).toMatchObject({ ok: false, errno: 'EINVAL', warning: { line: 2 } });
  expect(settings('a = 1').getLong('b')).toEqual({ ok: false, errno: 'ESRCH' });
});

test('bounds are included; a truth is any number but 0; a list is asked for as a list', () => {
  const s = settings('a = 5\nz = 0\nl = [ 1 ]');
  expect(s.getBoundedLong('a', 5n, 5n)).toMatchObject({ ok: true, value: 5n });
  expect(s.getBoundedLong('a', 6n, 9n)).toMatchObject({ ok: false, errno: 'EINVAL' });
  expect(s.getBoundedLong('a', 0n, 4n)).toMatchObject({ ok: false, errno: 'EINVAL' });
  expect(s.getDefbool('a')).toMatchObject({ value: true });
  expect(s.getDefbool('z')).toMatchObject({ value: false });
  expect(s.getString('l')).toMatchObject({ ok: false, warning: { line: 3 } });
  expect(s.getList('a')).toMatchObject({ ok: false, warning: { line: 1 } });
  expect(s.getList('l')).toMatchObject({ ok: true, value: [{ type: 'string', text: '1' }] });
});
