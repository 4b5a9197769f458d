// Cold state: immutable records, one Immer root for each aggregate, behind the host's one journal.
import { type Draft, produce } from 'immer';
import type { Journal } from './journal.ts';
import { mix, mixText } from './table.ts';

/** Records by number (a domain id, a device's row). Each is small: Immer's cost grows with the width of what it copies. */
export class Records<T extends object> {
  readonly name: string;
  private readonly journal: Journal;
  private readonly roots = new Map<number, T>();
  /** Of values whose digest was asked for: they never change. */
  private readonly texts = new WeakMap<T, string>();
  /** The last snapshot, until something changes: the next one is the same. */
  private saved: ReadonlyMap<number, T> | undefined;
  constructor(name: string, journal: Journal) {
    this.name = name;
    this.journal = journal;
  }
  get(key: number): T | undefined {
    return this.roots.get(key);
  }
  set(key: number, value: T): void {
    this.replace(key, value);
  }
  /** Changes a record that exists. */
  update(key: number, recipe: (draft: Draft<T>) => void): void {
    const old = this.roots.get(key);
    if (old !== undefined) this.replace(key, produce(old, recipe));
  }
  delete(key: number): void {
    if (this.roots.has(key)) this.replace(key, undefined);
  }
  /** Keys, ascending: never in the order of a Map, which an undo changes. */
  keys(): number[] {
    return [...this.roots.keys()].sort((a, b) => a - b);
  }
  *entries(): Generator<[number, T]> {
    for (const key of this.keys()) yield [key, this.roots.get(key)!];
  }
  /** 0 where there are none. */
  digest(): number {
    let hash = 0;
    for (const [key, value] of this.entries()) {
      let text = this.texts.get(value);
      if (text === undefined) {
        text = JSON.stringify(value);
        this.texts.set(value, text);
      }
      hash = mixText(mix(hash, key), text);
    }
    return hash >>> 0;
  }
  snapshot(): ReadonlyMap<number, T> {
    this.saved ??= new Map(this.roots);
    return this.saved;
  }
  restore(snapshot: ReadonlyMap<number, T>): void {
    this.saved = snapshot;
    this.roots.clear();
    for (const [key, value] of snapshot) this.roots.set(key, value);
  }
  *diff(other: Records<T>): Generator<string> {
    for (const key of new Set([...this.keys(), ...other.keys()])) {
      const ours = JSON.stringify(this.get(key));
      const theirs = JSON.stringify(other.get(key));
      if (ours !== theirs) yield `${this.name}[${key}]: ${ours} -> ${theirs}`;
    }
  }
  private replace(key: number, value: T | undefined): void {
    const old = this.roots.get(key);
    if (this.journal.depth > 0) this.journal.recordUndo(() => this.put(key, old));
    this.put(key, value);
  }
  private put(key: number, value: T | undefined): void {
    this.saved = undefined;
    if (value === undefined) this.roots.delete(key);
    else this.roots.set(key, value);
  }
}
