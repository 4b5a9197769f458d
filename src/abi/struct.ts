// C structures as data: declared once, laid out by the C rules for either width of guest.

/** What a guest's longs and pointers are; the values are those of XenStore's `protocol` keys without `-abi` (public/io/protocols.h). */
export type Width = 'x86_64' | 'x86_32';
export const widths: readonly Width[] = ['x86_64', 'x86_32'];

/** What may be given to write a value: of a structure, an array or a union only the parts that are there are written. */
export type Part<T> = T extends number | bigint | Uint8Array
  ? T
  : T extends readonly (infer E)[]
    ? readonly Part<E>[]
    : { readonly [K in keyof T]?: Part<T[K]> };

/** A C type at one width. `size` and `align` are bytes; `get` and `put` want `size` bytes at `at`. */
export interface Layout<T> {
  readonly size: number;
  readonly align: number;
  get(view: DataView, at: number): T;
  put(view: DataView, at: number, value: Part<T>): void;
}
export type Type<T> = Readonly<Record<Width, Layout<T>>>;

/** A structure at one width. `offset` holds plain numbers, for code that reads single fields in guest memory. */
export interface StructLayout<T> extends Layout<T> {
  readonly name: string;
  readonly offset: { readonly [K in keyof T]: number };
  /** The structure at byte `at`; undefined where the bytes end before it does. */
  read(bytes: Uint8Array | DataView, at?: number): T | undefined;
  /** Writes the fields that are given and leaves the others. False, with nothing written, where the bytes end too early. */
  write(bytes: Uint8Array | DataView, value: Part<T>, at?: number): boolean;
}
export type Struct<T> = Readonly<Record<Width, StructLayout<T>>>;

// biome-ignore lint/suspicious/noExplicitAny: the value's type is inferred from each field by `Value`
type Fields = Readonly<Record<string, Type<any>>>;
type Value<F extends Fields> = { readonly [K in keyof F]: F[K] extends Type<infer T> ? T : never };

/** A C structure: fields in order, each at the next multiple of its alignment. */
export const struct = <const F extends Fields>(name: string, fields: F): Struct<Value<F>> =>
  each((width) => {
    const offset: Record<string, number> = {};
    let end = 0;
    let align = 1;
    for (const [field, type] of Object.entries(fields)) {
      const layout = type[width];
      offset[field] = roundUp(end, layout.align);
      end = offset[field] + layout.size;
      align = Math.max(align, layout.align);
    }
    return placed(name, fields, width, offset, roundUp(end, align), align);
  });

/** A C union: every member at its start. Reading answers all of them; writing several writes them in the order of declaration. */
export const union = <const F extends Fields>(name: string, members: F): Struct<Value<F>> =>
  each((width) => {
    const layouts = Object.values(members).map((type) => type[width]);
    const align = Math.max(...layouts.map((layout) => layout.align));
    const size = roundUp(Math.max(...layouts.map((layout) => layout.size)), align);
    const offset = Object.fromEntries(Object.keys(members).map((member) => [member, 0]));
    return placed(name, members, width, offset, size, align);
  });

/** A C array. Its length may depend on the width. Writing a shorter list leaves the rest; what is too many is not written. */
export const array = <T>(element: Type<T>, length: number | Readonly<Record<Width, number>>): Type<readonly T[]> =>
  each((width) => {
    const { size, align, get, put } = element[width];
    const count = typeof length === 'number' ? length : length[width];
    return {
      size: size * count,
      align,
      get: (view, at) => Array.from({ length: count }, (_, i) => get(view, at + i * size)),
      put: (view, at, values: readonly Part<T>[]) => {
        values.slice(0, count).forEach((value, i) => {
          put(view, at + i * size, value);
        });
      },
    } as Layout<readonly T[]>;
  });

/** An array of bytes, read as a copy. Writing fewer fills up with zeros; what is too many is not written. */
export const bytes = (size: number): Type<Uint8Array> =>
  each(() => ({
    size,
    align: 1,
    get: (view, at) => new Uint8Array(view.buffer, view.byteOffset + at, size).slice(),
    put: (view, at, value) => {
      const target = new Uint8Array(view.buffer, view.byteOffset + at, size);
      target.set(value.subarray(0, size));
      target.fill(0, Math.min(size, value.length));
    },
  }));

/** The same thing made for each width. */
export const each = <T>(make: (width: Width) => T): Readonly<Record<Width, T>> => ({
  x86_64: make('x86_64'),
  x86_32: make('x86_32'),
});

function placed<F extends Fields>(
  name: string,
  fields: F,
  width: Width,
  offset: Readonly<Record<string, number>>,
  size: number,
  align: number,
): StructLayout<Value<F>> {
  const places = Object.entries(fields).map(([field, type]) => ({ field, at: offset[field]!, layout: type[width] }));
  const get = (view: DataView, at: number) =>
    Object.fromEntries(places.map(({ field, at: place, layout }) => [field, layout.get(view, at + place)])) as Value<F>;
  const put = (view: DataView, at: number, value: Part<Value<F>>) => {
    const given = value as Readonly<Record<string, Part<unknown> | undefined>>;
    for (const { field, at: place, layout } of places) if (given[field] !== undefined) layout.put(view, at + place, given[field]);
  };
  return {
    name,
    size,
    align,
    offset: offset as StructLayout<Value<F>>['offset'],
    get,
    put,
    read: (source, at = 0) => {
      const view = viewOf(source);
      return fits(view, at, size) ? get(view, at) : undefined;
    },
    write: (target, value, at = 0) => {
      const view = viewOf(target);
      if (!fits(view, at, size)) return false;
      put(view, at, value);
      return true;
    },
  };
}

const viewOf = (source: Uint8Array | DataView): DataView =>
  source instanceof DataView ? source : new DataView(source.buffer, source.byteOffset, source.byteLength);

const fits = (view: DataView, at: number, size: number): boolean =>
  Number.isInteger(at) && at >= 0 && at + size <= view.byteLength;

const roundUp = (value: number, align: number): number => Math.ceil(value / align) * align;
