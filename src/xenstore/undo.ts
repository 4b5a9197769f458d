// Changes of plain objects and collections that the host's journal can take back.
import type { Journal } from '../tables/journal.ts';

/** The only way in which XenStore's bookkeeping changes. Keys of a Map keep no order across an undo: whoever iterates one sorts. */
export class Undoable {
  private readonly journal: Journal;
  constructor(journal: Journal) {
    this.journal = journal;
  }

  assign<T extends object, K extends keyof T>(target: T, key: K, value: T[K]): void {
    const old = target[key];
    if (old === value) return;
    target[key] = value;
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        target[key] = old;
      });
  }

  put<K, V>(map: Map<K, V>, key: K, value: V): void {
    if (this.journal.depth > 0) {
      const had = map.has(key);
      const old = map.get(key)!;
      this.journal.recordUndo(() => {
        if (had) map.set(key, old);
        else map.delete(key);
      });
    }
    map.set(key, value);
  }

  drop<K, V>(map: Map<K, V>, key: K): void {
    const old = map.get(key);
    if (!map.delete(key) || this.journal.depth === 0) return;
    this.journal.recordUndo(() => {
      map.set(key, old!);
    });
  }

  include<V>(set: Set<V>, value: V): void {
    if (set.has(value)) return;
    set.add(value);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        set.delete(value);
      });
  }

  exclude<V>(set: Set<V>, value: V): void {
    if (!set.delete(value) || this.journal.depth === 0) return;
    this.journal.recordUndo(() => {
      set.add(value);
    });
  }

  /** Puts an element at the end of a list. */
  push<V>(list: V[], value: V): void {
    list.push(value);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        list.pop();
      });
  }

  /** Takes an element out of a list; it comes back to the same place. */
  pull<V>(list: V[], value: V): void {
    const at = list.indexOf(value);
    if (at < 0) return;
    list.splice(at, 1);
    if (this.journal.depth > 0)
      this.journal.recordUndo(() => {
        list.splice(at, 0, value);
      });
  }

  /** For a change that none of the above is. */
  onUndo(undo: () => void): void {
    if (this.journal.depth > 0) this.journal.recordUndo(undo);
  }
}
