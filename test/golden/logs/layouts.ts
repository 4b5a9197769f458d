// Two layouts of the state beside each other, in words.
import { readFileSync } from 'node:fs';
import { Log } from '../../../events/log.ts';
import type { StateLayout } from '../../../replay/layout.ts';
import { readStart } from '../../../replay/start.ts';
import type { StateChange } from '../../../replay/state-changes.ts';

export const keptLog = (name: string): Log => new Log(new Uint8Array(readFileSync(new URL(name, import.meta.url))));
/** The layout of a version, as the log that is kept of it says. */
export const keptLayout = (version: number): StateLayout =>
  readStart(keptLog(`state-${version}.xlog`).start!).layout as StateLayout;

/** What one has and the other has not, a line each: `table evtchn.port: u32`. */
export function differences(before: StateLayout, after: StateLayout): string[] {
  const [old, now] = [itemsOf(before), itemsOf(after)];
  const lines: string[] = [];
  for (const [name, value] of old)
    if (!now.has(name)) lines.push(`${name} has gone`);
    else if (now.get(name) !== value) lines.push(`${name} was ${value}, and is ${now.get(name)}`);
  for (const name of now.keys()) if (!old.has(name)) lines.push(`${name} is new`);
  return lines;
}

/** What a change leaves out of what became of one layout on the way to the next: what has gone, or is there and was not before. */
export function unexplained(before: StateLayout, after: StateLayout, change: StateChange = {}): string[] {
  return differences(before, after).filter((line) => {
    const [, kind = '', where = ''] = /^(\w+) (\S+)/.exec(line) ?? [];
    if (kind === 'table') {
      const [table = ''] = where.split('/');
      // Columns and tables that are new need no word, and names that were added behind others neither.
      const [, was, is] = / was (.*), and is (.*)$/.exec(line) ?? [];
      const isLonger = was !== undefined && is?.startsWith(was.replace(/\]$/, ','));
      return !(line.endsWith(' is new') || isLonger || change.tables?.[table]);
    }
    if (kind === 'field') {
      const [group = '', item = ''] = where.split('/');
      const isOptional = line.endsWith('? is new');
      return !(isOptional || change[group as 'records' | 'actors' | 'parts']?.[item]);
    }
    if (kind === 'kind') return !(line.endsWith(' is new') || change.actors?.[where]);
    return !(line.endsWith(' is new') || change.records?.[where]);
  });
}

function itemsOf({ tables, records, fields }: StateLayout): Map<string, string> {
  const items = new Map<string, string>();
  for (const [name, pageRows, columns] of tables) {
    items.set(`table ${name}`, `of ${pageRows} rows a page`);
    for (const [column, type] of columns) items.set(`table ${name}/${column}`, JSON.stringify(type));
  }
  for (const name of records) items.set(`record ${name}`, '');
  const add = (group: string, item: string, list: readonly string[]): void => {
    for (const field of list) items.set(`field ${group}/${item}/${field}`, '');
  };
  for (const [name, places] of Object.entries(fields.records))
    for (const [place, list] of Object.entries(places)) add('records', name, place === '' ? list : list.map((one) => `${place}.${one}`));
  for (const [kind, list] of Object.entries(fields.actors)) {
    items.set(`kind ${kind}`, '');
    add('actors', kind, list ?? []);
  }
  for (const [place, list] of Object.entries(fields.parts)) add('parts', place, list);
  return items;
}
