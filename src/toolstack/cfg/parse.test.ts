import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic } from './diagnostic.ts';
import { parseConfig } from './parse.ts';
import type { Value } from './settings.ts';

const plain = (value: Value): unknown => (value.type === 'string' ? value.text : value.values.map(plain));
/** The settings of a text as they count in the end, or the exit status and the lines of its errors. */
function read(text: string): unknown {
  const parsed = parseConfig(text, 'f');
  if (!parsed.ok) return { rc: parsed.rc, lines: parsed.errors.map(({ line }) => line) };
  return Object.fromEntries(parsed.settings.all.map(({ name, value }) => [name, plain(value)]));
}

describe('what a file says', () => {
  test.each([
    ['', {}],
    ['a = 1', { a: '1' }],
    ['a="x";b=\'y\'\n;\n', { a: 'x', b: 'y' }],
    ['a=1\na=2\n', { a: '2' }],
    ['# only words = 1\na\t=\t0x1f # more\n', { a: '0x1f' }],
    ['a.b_9 = [ ]', { 'a.b_9': [] }],
    ['a = [\n\n"x"\n,\n\n[1,2,\n],\n]\n', { a: ['x', ['1', '2']] }],
    ['a="x"\na+="y"\n', { a: 'xy' }],
    ['a+=["x"]\na+=["y","z"]\n', { a: ['x', 'y', 'z'] }],
    [String.raw`a="\"\'\\\a\b\f\n\r\t\v"`, { a: '"\'\\\x07\b\f\n\r\t\v' }],
    // An octal escape is read and dropped, as libxlu does.
    [String.raw`a="<\101>"`, { a: '<>' }],
    ['a="\xff\r"', { a: '\xff\r' }],
    // A lone character at the very end goes unnoticed.
    ['a=1\n#', { a: '1' }],
  ])('%j', (text, settings) => {
    expect(read(text)).toEqual(settings);
  });
});

describe('what is wrong with a file: exit status and lines', () => {
  test.each([
    ['a 1\n', 1, [1]],
    ['a = \n', 1, [1]],
    ['a = 1 b = 2\n', 1, [1]],
    ['\n\na = = 1\n', 1, [3]],
    ['a = [1 2]\n', 1, [1]],
    ['a = [,]\n', 1, [1]],
    ['a = [1,\n2\n', 1, [2]],
    ['a = 1\r\nb = 2\r\n', 1, [1, 2]],
    ['a = "x\n', 1, [1]],
    ['\xef\xbb\xbfa = 1\n', 1, [1]],
    ['A = 1\n', 1, [1]],
    ['a = 1\n# no newline', 1, [2]],
    [String.raw`a = "\x41"`, 1, [1]],
    [String.raw`a = "\q"`, 1, [1]],
    [String.raw`a = "\1"`, 1, [1]],
    ['a = "x"\na += [1]\n', 1, [2]],
    ['a = "x\0y"\n', -6, [1]],
    // Behind another error libxlu unquotes nothing, so it does not stumble.
    ['a = b\nc = "x\0y"\n', 1, [1]],
    // Three tokens must fit before the next error is reported.
    ['a = b\nc = d\ne = 1\nf = g\n', 1, [1, 2, 4]],
    ['a = b\nc\nd = 1\n', 1, [1]],
    ['a = -1\nb = -2\n', 1, [1, 2]],
  ])('%j', (text, rc, lines) => {
    expect(read(text)).toEqual({ rc, lines });
  });

  test('a message names file, line and what to do', () => {
    const parsed = parseConfig('memory = 64M\n', '/etc/xen/a.cfg');
    expect(parsed.ok ? [] : parsed.errors.map(formatDiagnostic)).toEqual([
      `/etc/xen/a.cfg:1: cannot read 'M': write a value as a "string", a whole number or a [list], and names in lower case`,
    ]);
  });
});

test('lists nest as deep as bison follows, and deeper ones are an error, not a crash', () => {
  expect(parseConfig(`a = ${'['.repeat(4990)}${']'.repeat(4990)}`, 'f').ok).toBe(true);
  expect(parseConfig(`a = ${'['.repeat(100_000)}`, 'f').ok).toBe(false);
});

const byteString = (unit: fc.Arbitrary<string>) => fc.array(unit, { maxLength: 60 }).map((parts) => parts.join(''));
const anyByte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
const pieces = fc.constantFrom(
  'a',
  'b9',
  '=',
  '+=',
  '[',
  ']',
  ',',
  ';',
  '\n',
  ' ',
  '"x"',
  "'y'",
  '"',
  '\\',
  '#',
  '1',
  '0x',
  '-',
  '\0',
  '\r',
);

test('reads or refuses any bytes, and every error has a line of the file', () => {
  fc.assert(
    fc.property(fc.oneof(byteString(anyByte), byteString(pieces)), (text) => {
      const parsed = parseConfig(text, 'f');
      const lines = text.split('\n').length;
      if (parsed.ok) return;
      expect(parsed.errors.length).toBeGreaterThan(0);
      for (const { line } of parsed.errors) expect(line! >= 1 && line! <= lines).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\n', '\\n')}"`;
const written = (value: unknown): string =>
  Array.isArray(value) ? `[${value.map(written).join(',\n')}]` : quoted(value as string);

test('what is written is read again', () => {
  const text = byteString(anyByte.filter((c) => c !== '\0'));
  const { value } = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, text, fc.array(tie('value'), { maxLength: 4 })),
  }));
  fc.assert(
    fc.property(value, (held) => {
      expect(read(`key = ${written(held)}\n`)).toEqual({ key: held });
    }),
  );
});
