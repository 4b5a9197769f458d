// Any command of the vocabulary with any arguments, from the schema alone: nobody has to keep it up to date.
import * as fc from 'fast-check';
import type { Field, Operations } from '../../../events/schema.ts';

/** Numbers at which something changes in Xen: limits of ids, of tables, of widths. */
export const edges = [
  -(2 ** 53 - 1),
  -(2 ** 31),
  -1,
  31,
  32,
  63,
  64,
  127,
  128,
  255,
  256,
  511,
  512,
  4095,
  4096,
  0x7fef,
  0x7ff0,
  0x7ff1,
  0x7ff2,
  0xffff,
  0x10000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 32 + 1,
  2 ** 40,
  2 ** 50,
  2 ** 53 - 1,
];

/** Mostly small, for what exists has small numbers; often enough an edge. */
export const anyInt: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: fc.nat(6) },
  { weight: 2, arbitrary: fc.constantFrom(...edges) },
  { weight: 1, arbitrary: fc.maxSafeInteger() },
);

function anyValue(field: Field<unknown>): fc.Arbitrary<unknown> {
  switch (field.kind) {
    case 'int':
      return anyInt;
    case 'bool':
      return fc.boolean();
    case 'name':
      return fc.constantFrom(...field.names!);
    case 'text':
      return anyText;
    case 'ints':
      return fc.array(anyInt, { maxLength: 4 });
    case 'texts':
      return fc.array(anyText, { maxLength: 3 });
    case 'bytes':
      return fc.uint8Array({ maxLength: 32 });
  }
}
/** Byte strings: one char a byte. */
const anyText: fc.Arbitrary<string> = fc.array(fc.nat(255), { maxLength: 12 }).map((bytes) => String.fromCharCode(...bytes));

/** Any of these operations. The result is a command of the vocabulary by its types, and by nothing else. */
export function anyCommand<C extends { readonly type: string }>(operations: Operations): fc.Arbitrary<C> {
  const each = Object.entries(operations).map(([type, { args }]) =>
    fc
      .record(Object.fromEntries(Object.entries(args).map(([name, field]) => [name, anyValue(field)])))
      .map((values) => ({ type, ...values }) as unknown as C),
  );
  return fc.oneof(...each);
}
