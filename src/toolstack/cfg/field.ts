// The kinds of values in libxl's structures, and how each is written in JSON (tools/libs/light/libxl_json.c, gentypes.py).

/** JSON as libxl writes it: keys in order, whole numbers of any size, strings of bytes. */
export type Json = string | number | bigint | boolean | readonly Json[] | { readonly [key: string]: Json };

/** One kind of value: its JSON, and whether a value is the default, which libxl does not write. */
export interface Field<T> {
  json(value: T): Json;
  isDefault(value: T): boolean;
  /** A structure inside a structure is written even when everything in it is default. */
  readonly nested?: true;
}
type ValueOf<F> = F extends Field<infer T> ? T : never;
export type Struct<F> = { -readonly [K in keyof F]?: ValueOf<F[K]> | undefined };

const plain = <T extends Json>(isDefault: (value: T) => boolean): Field<T> => ({ json: (value) => value, isDefault });

/** A string: NULL is the default, an empty string is not. */
export const text: Field<string> = plain(() => false);
/** A number of up to 32 bits; `unset` is what it holds before anybody sets it. */
export const number = (unset = 0): Field<number> => plain((value) => value === unset);
export const integer: Field<number> = number();
/** A number of 64 bits. */
export const uint64 = (unset = 0n): Field<bigint> => plain((value) => value === unset);
/** Memory in KiB; LIBXL_MEMKB_DEFAULT is all ones. */
export const memKb: Field<bigint> = uint64((1n << 64n) - 1n);
export const devid: Field<number> = number(-1);
export const flag: Field<boolean> = plain((value) => !value);
/** Three-valued in libxl: "True", "False", or left to libxl where undefined. */
export const defbool: Field<boolean> = { json: (value) => (value ? 'True' : 'False'), isDefault: () => false };
/** Bit numbers, ascending. */
export const bitmap: Field<readonly number[]> = plain((bits) => bits.length === 0);
export const texts: Field<readonly string[]> = plain((list) => list.length === 0);
/** A name out of a list; `unset` is the one that is not written. */
export const oneOf = <const N extends readonly string[]>(_names: N, unset?: N[number]): Field<N[number]> =>
  plain((value) => value === unset);

/** A structure: its fields in the order in which libxl writes them. */
export function struct<const F extends Readonly<Record<string, Field<never>>>>(fields: F): Field<Struct<F>> {
  const entries = Object.entries(fields) as [keyof F & string, Field<unknown>][];
  return {
    nested: true,
    isDefault: () => false,
    json(value) {
      const json: Record<string, Json> = {};
      for (const [name, field] of entries) {
        const held: unknown = value[name] ?? (field.nested ? {} : undefined);
        if (held !== undefined && !field.isDefault(held)) json[name] = field.json(held);
      }
      return json;
    },
  };
}

/** One arm of a keyed union: there or not. */
export const arm = <T>({ json }: Field<T>): Field<T> => ({ json, isDefault: () => false });

export const array = <T>(item: Field<T>): Field<readonly T[]> => ({
  json: (items) => items.map((value) => item.json(value)),
  isDefault: (items) => items.length === 0,
});
