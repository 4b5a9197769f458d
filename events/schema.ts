// The vocabulary is data. Types and the columnar codec both follow from it, so a field is written down once.

/** How one field is typed in code and encoded in the log. `T` exists only for the compiler. */
export interface Field<T> {
  readonly kind: FieldKind;
  readonly names?: readonly string[];
  readonly T?: T;
}
export type FieldKind = 'int' | 'text' | 'bool' | 'name' | 'ints' | 'texts' | 'bytes';
export type Fields = Readonly<Record<string, Field<unknown>>>;
export type Value<F extends Fields> = { readonly [K in keyof F]: F[K] extends Field<infer T> ? T : never };

/** An integer that a double holds exactly. */
export const int: Field<number> = { kind: 'int' };
export const bool: Field<boolean> = { kind: 'bool' };
/** A byte string, one char (0 to 255) a byte, whatever the bytes are: guests choose them. Never UTF-8. */
export const text: Field<string> = { kind: 'text' };
export const texts: Field<readonly string[]> = { kind: 'texts' };
export const ints: Field<readonly number[]> = { kind: 'ints' };
export const bytes: Field<Uint8Array> = { kind: 'bytes' };
/** One of a fixed list of names; the log stores the index, so names are only ever added at the end. */
export const oneOf = <const N extends readonly string[]>(...names: N): Field<N[number]> => ({ kind: 'name', names });

/** The union of the messages of a vocabulary: `{ type, ...fields }` each. */
export type Message<V extends Readonly<Record<string, Fields>>> = {
  [K in keyof V & string]: { readonly type: K } & Value<V[K]>;
}[keyof V & string];

/** A command's arguments, and what it answers. */
export interface Operation {
  readonly args: Fields;
  readonly returns: Fields;
}
export type Operations = Readonly<Record<string, Operation>>;
export const operation = <const A extends Fields, const R extends Fields = Record<never, never>>(
  args: A,
  returns: R = {} as R,
): { readonly args: A; readonly returns: R } => ({ args, returns });

/** The union of the commands of some operations. */
export type Requests<V extends Operations> = {
  [K in keyof V & string]: { readonly type: K } & Value<V[K]['args']>;
}[keyof V & string];
