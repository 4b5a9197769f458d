import { expect, test } from 'vitest';
import { formatJson } from './json.ts';

test('as yajl writes it: an empty line in what is empty, bytes as they are, 64 bits whole', () => {
  expect(formatJson({ a: {}, b: [], c: ['"\\/\n\x01\x7f\xff', 18446744073709551615n, true, -1] })).toBe(
    '{\n    "a": {\n\n    },\n    "b": [\n\n    ],\n    "c": [\n        "\\"\\\\/\\n\\u0001\x7f\xff",\n        18446744073709551615,\n        true,\n        -1\n    ]\n}\n',
  );
});
