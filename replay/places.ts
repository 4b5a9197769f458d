// Places in plain data, as `guests.guests.*.net`: names of fields, with `*` for each item of a list or of a map. '' is all of it.

/** What stands at a place. Where something on the way is not there, nothing does. */
export function* valuesAt(value: unknown, place: string): Generator<unknown> {
  if (place === '') {
    yield value;
    return;
  }
  const [first, rest] = split(place);
  if (first === '*') {
    if (value instanceof Map || Array.isArray(value)) for (const item of value.values()) yield* valuesAt(item, rest);
  } else if (isObject(value) && value[first] !== undefined) yield* valuesAt(value[first], rest);
}

/** The same value with others at a place. */
export function mapAt(value: unknown, place: string, to: (part: never) => unknown): unknown {
  if (place === '') return to(value as never);
  const [first, rest] = split(place);
  const inner = (item: unknown): unknown => mapAt(item, rest, to);
  if (first === '*') {
    if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, inner(item)]));
    return Array.isArray(value) ? value.map(inner) : value;
  }
  if (!isObject(value) || value[first] === undefined) return value;
  if (Array.isArray(value)) return value.with(Number(first), inner(value[Number(first)]));
  return { ...value, [first]: inner(value[first]) };
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null;

function split(place: string): [first: string, rest: string] {
  const dot = place.indexOf('.');
  return dot < 0 ? [place, ''] : [place.slice(0, dot), place.slice(dot + 1)];
}
