import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitWords } from './words.ts';

describe('a command line is cut into words', () => {
  test.each([
    ['list', ['list']],
    ['  create   /etc/xen/a.cfg\t-c ', ['create', '/etc/xen/a.cfg', '-c']],
    ['create "my file.cfg"', ['create', 'my file.cfg']],
    ['create \'a "b".cfg\'', ['create', 'a "b".cfg']],
    ['a\\ b c', ['a b', 'c']],
    ['"a\\"b" "c\\d" "e\\\\"', ['a"b', 'c\\d', 'e\\']],
    ['extra="a b"c', ['extra=a bc']],
    ["''", ['']],
    ['', []],
  ])('%j', (line, words) => {
    expect(splitWords(line)).toEqual({ ok: true, words });
  });
  test.each([
    ['create "a', 'a quoted word is not ended: add "'],
    ["create 'a\\'b'", "a quoted word is not ended: add '"],
    ['a\\', 'it ends with a backslash: take it out or write two'],
  ])('%j is refused', (line, message) => {
    expect(splitWords(line)).toEqual({ ok: false, message });
  });
  test('words in single quotes come back as they were', () => {
    const word = fc.string().filter((text) => !text.includes("'"));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        expect(splitWords(words.map((one) => `'${one}'`).join(' '))).toEqual({ ok: true, words });
      }),
    );
  });
  test('any line is read without a throw', () => {
    fc.assert(fc.property(fc.string(), (line) => typeof splitWords(line).ok === 'boolean'));
  });
});
