import type { Json } from './field.ts';

/**
 * JSON as yajl writes it for xl (`yajl_gen` with `beautify` and four spaces): an empty map or list has an empty line in it,
 * bytes above 0x7f stand for themselves, and a newline ends it. One char per byte.
 */
export const formatJson = (json: Json): string => `${format(json, '')}\n`;

function format(json: Json, indent: string): string {
  if (typeof json === 'string') return quote(json);
  if (typeof json !== 'object') return String(json);
  const inner = `${indent}    `;
  const lines = Array.isArray(json)
    ? json.map((item: Json) => inner + format(item, inner))
    : Object.entries(json).map(([key, value]) => `${inner}${quote(key)}: ${format(value, inner)}`);
  const [open, close] = Array.isArray(json) ? '[]' : '{}';
  return `${open}\n${lines.join(',\n')}\n${indent}${close}`;
}

const escapes: Readonly<Record<string, string>> = {
  '\r': '\\r',
  '\n': '\\n',
  '\\': '\\\\',
  '"': '\\"',
  '\f': '\\f',
  '\b': '\\b',
  '\t': '\\t',
};

const quote = (text: string): string =>
  `"${text.replace(/["\\]|[^ -\xff]/g, (c) => escapes[c] ?? `\\u00${c.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)}"`;
