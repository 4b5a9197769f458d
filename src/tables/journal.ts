// The one undo journal of a host. Everything that a `mark()` covers writes its old values here.

/** What a number can be put back into. Columns are the only implementation on the hot path. */
export interface Restorable {
  restore(index: number, old: number): void;
}

/**
 * Old values, newest last. Costs nothing until the first `mark`.
 *
 * Numbers in columns are recorded as (column, index, old value); everything else joins by a closure (`recordUndo`).
 */
export class Journal {
  private targets: Restorable[] = [];
  private indices = new Int32Array(1024);
  private olds = new Float64Array(1024);
  private closures: (() => void)[] = [];
  private length = 0;
  /** How many marks are open; writers test it before they record. */
  depth = 0;
  /** Counts marks and rollbacks: whoever copies on first write compares it with the epoch of its copy. */
  epoch = 0;

  mark(): number {
    this.depth++;
    this.epoch++;
    return this.length;
  }

  record(target: Restorable, index: number, old: number): void {
    if (this.length === this.indices.length) this.grow();
    this.targets[this.length] = target;
    this.indices[this.length] = index;
    this.olds[this.length++] = old;
  }

  recordUndo(undo: () => void): void {
    this.record(byClosure, this.closures.length, 0);
    this.closures.push(undo);
  }

  /** Puts everything back as it was at `mark`, newest change first, and closes that mark. */
  rollback(mark: number): void {
    while (this.length > mark) {
      const at = --this.length;
      const target = this.targets[at]!;
      if (target === byClosure) this.closures.pop()!();
      else target.restore(this.indices[at]!, this.olds[at]!);
    }
    this.depth--;
    this.epoch++;
  }

  /** Closes the innermost mark and keeps what happened since. */
  commit(): void {
    if (--this.depth > 0) return;
    this.length = 0;
    this.targets.length = 0;
    this.closures.length = 0;
  }

  private grow(): void {
    const indices = new Int32Array(this.indices.length * 2);
    indices.set(this.indices);
    this.indices = indices;
    const olds = new Float64Array(this.olds.length * 2);
    olds.set(this.olds);
    this.olds = olds;
  }
}

const byClosure: Restorable = { restore() {} };
