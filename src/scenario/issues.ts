// What zod and yaml have to say about a scenario, in our words and with places.
import { type Document, isMap, isScalar, type LineCounter, type YAMLError } from 'yaml';
import { z } from 'zod';
import type { Place, ScenarioError } from './scenario.ts';

type Path = readonly PropertyKey[];

/** Finds where things stand in the text of a scenario. */
export class Places {
  private readonly file: string;
  private readonly document: Document;
  private readonly lines: LineCounter;
  constructor(file: string, document: Document, lines: LineCounter) {
    this.file = file;
    this.document = document;
    this.lines = lines;
  }
  at(offset: number): Place {
    const { line, col } = this.lines.linePos(offset);
    return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }
  /** Where a value stands, or what is around it where there is none. */
  ofValue(path: Path): Place {
    for (let length = path.length; length >= 0; length--) {
      const node = this.node(path.slice(0, length));
      const start = node?.range?.[0];
      if (start !== undefined) return this.at(start);
    }
    return this.at(0);
  }
  /** Where the name of an entry stands. */
  ofKey(path: Path, key: string): Place {
    const map = this.node(path);
    const entry = isMap(map) ? map.items.find((item) => isScalar(item.key) && String(item.key.value) === key) : undefined;
    return isScalar(entry?.key) && entry.key.range ? this.at(entry.key.range[0]) : this.ofValue(path);
  }
  private node(path: Path): { range?: readonly number[] | null | undefined } | undefined {
    if (path.length === 0) return this.document.contents ?? undefined;
    return this.document.getIn(path, true) as { range?: readonly number[] } | undefined;
  }
}

/** A problem with the values, as zod found it in `schema`. */
export function* explain(issue: z.core.$ZodIssue, schema: z.core.$ZodType, places: Places): Generator<ScenarioError> {
  const { path } = issue;
  if (issue.code === 'unrecognized_keys') {
    const known = keysAt(schema, path);
    for (const key of issue.keys) {
      const meant = nearest(key, known);
      const advice = meant ? `did you mean ${meant}?` : `${subject(path)} may have ${known.join(', ')}`;
      yield { ...places.ofKey(path, key), message: `unknown key ${JSON.stringify(key)}: ${advice}` };
    }
    return;
  }
  yield {
    ...places.ofValue(path),
    message: `${subject(path)} ${issue.code === 'invalid_type' ? shape(issue.expected) : issue.message}`,
  };
}

/** A problem with the YAML itself. */
export const explainYaml = (error: YAMLError, places: Places): ScenarioError => ({
  ...places.at(error.pos[0]),
  message: yamlMessages[error.code] ?? 'this is not YAML: check the indentation, quotes and brackets around here',
});
const yamlMessages: Partial<Record<YAMLError['code'], string>> = {
  DUPLICATE_KEY: 'the same key stands here twice: keep one of them',
  TAB_AS_INDENT: 'a tab stands in the indentation: write spaces',
  BAD_INDENT: 'the indentation does not fit: align this line with its neighbours',
  MISSING_CHAR: 'something that was opened is not closed: look for a missing quote, bracket or colon',
  BAD_ALIAS: 'this alias has no anchor: write the value itself',
  BAD_DQ_ESCAPE: 'no such escape in double quotes: write \\\\ for a backslash',
  MULTIPLE_DOCS: 'a scenario is one document: take out everything from this --- on',
};

const shape = (expected: string): string =>
  expected === 'array' ? 'must be a list: a line "- ..." for each item' : 'must be a map: a line "key: value" for each entry';

/** `host.dom0.memory`, `files["/a/b"]`, `item 3 of timeline`. */
function subject(path: Path): string {
  if (path.length === 0) return 'the scenario';
  const last = path[path.length - 1]!;
  if (typeof last === 'number') return `item ${last + 1} of ${subject(path.slice(0, -1))}`;
  const word = String(last);
  const before = path.slice(0, -1);
  if (before.length === 0) return word;
  if (typeof before[before.length - 1] === 'number') return `${word} in ${subject(before)}`;
  return /^[\w-]+$/.test(word) ? `${subject(before)}.${word}` : `${subject(before)}[${JSON.stringify(word)}]`;
}

/** The keys that a schema allows at a path. */
function keysAt(schema: z.core.$ZodType, path: Path): string[] {
  let at: unknown = schema;
  for (const key of [...path, undefined]) {
    while (at instanceof z.ZodOptional || at instanceof z.ZodPipe) at = at instanceof z.ZodOptional ? at.unwrap() : at.def.out;
    if (key === undefined) break;
    if (at instanceof z.ZodObject) at = at.shape[key as string];
    else if (at instanceof z.ZodArray) at = at.element;
    else if (at instanceof z.ZodRecord) at = at.valueType;
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

/** The name that a mistyped one most likely stands for: at most one letter in three may differ. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  let best: { readonly name: string; readonly distance: number } | undefined;
  for (const name of known) {
    const distance = edits(word, name);
    if (distance <= limit && (best === undefined || distance < best.distance)) best = { name, distance };
  }
  return best?.name;
}

/** How many letters must be added, removed, changed or swapped with their neighbour (optimal string alignment). */
function edits(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 3) return a.length + b.length;
  let older: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + same);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, older[j - 2]! + 1);
      row.push(cost);
    }
    older = previous;
    previous = row;
  }
  return previous[b.length]!;
}
