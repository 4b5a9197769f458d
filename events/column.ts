// One column of a block while it is filled: each value is encoded as it comes, so that a block in the making takes as little room as it
// will in the log, and to seal it is to put the columns one behind the other.
import { ByteWriter } from './bytes.ts';
import type { FieldKind } from './schema.ts';

/** What a column holds: a field of a message, or (`uint`) a small number of the step itself. */
export type ColumnKind = FieldKind | 'uint';

/**
 * Values are put into columns so many at a time. Not many more: an engine that finds the last hundred objects of a kind all in use
 * takes them for ones that stay, and makes the next ones where it seldom looks for garbage.
 */
export const AT_ONCE = 64;
// What they are gathered in.
const numbers = new Float64Array(AT_ONCE);
const smalls = new Int32Array(AT_ONCE);

export class Column {
  // What every value needs stands first: a step goes through some twenty columns.
  private readonly out = new ByteWriter(0);
  /** The number before, in a column of differences. */
  private last = 0;
  /** Zeros, or empty lists, that came before anything else: a column of nothing else takes no room. */
  private zeros = 0;
  private used = false;
  private readonly kind: ColumnKind;
  private readonly names: Map<string, number> | undefined;
  /** Of words that the block has had, the number of each. */
  private words: Map<string, number> | undefined;
  private lastWord: string | undefined;
  private lastNumber = 0;

  constructor(kind: ColumnKind, names?: readonly string[]) {
    this.kind = kind;
    this.names = names ? new Map(names.map((name, i) => [name, i])) : undefined;
  }

  /** For columns of the kind `int`: the difference to the value before. */
  putInt(value: number): void {
    if (!this.used && this.isLeading(value === 0)) return;
    this.out.difference(value, this.last);
    this.last = value;
  }
  /** For columns of the kinds `uint`, `name` and `bool`. */
  putUint(value: number): void {
    if (!this.used && this.isLeading(value === 0)) return;
    this.out.uint(value);
  }
  /** The first `count` of these values, for a column of the kind `int`: a loop of its own is far faster than one call for each. */
  putInts(values: Float64Array, count: number): void {
    const first = this.used ? 0 : this.leading(values, count);
    if (first < count) this.last = this.out.differences(values, first, count, this.last);
  }
  /** The same for the kinds `uint`, `name` and `bool`. */
  putUints(values: Int32Array, count: number): void {
    const first = this.used ? 0 : this.leading(values, count);
    if (first < count) this.out.uints(values, first, count);
  }
  /** The field `name` of the messages from `from` up to (and without) `end`, at most `AT_ONCE` of them. */
  putField(messages: readonly object[], from: number, end: number, name: string): void {
    switch (this.kind) {
      case 'int':
        for (let i = from; i < end; i++) numbers[i - from] = (messages[i] as Record<string, number>)[name]!;
        this.putInts(numbers, end - from);
        return;
      case 'bool':
        for (let i = from; i < end; i++) smalls[i - from] = (messages[i] as Record<string, unknown>)[name] ? 1 : 0;
        this.putUints(smalls, end - from);
        return;
      default:
        for (let i = from; i < end; i++) this.put((messages[i] as Record<string, unknown>)[name]);
    }
  }
  put(value: unknown): void {
    switch (this.kind) {
      case 'int':
        this.putInt(value as number);
        return;
      case 'uint':
        this.putUint(value as number);
        return;
      case 'name':
        this.putUint(this.names!.get(value as string)!);
        return;
      case 'bool':
        this.putUint(value ? 1 : 0);
        return;
      case 'text':
        this.used = true;
        this.putText(value as string);
        return;
      case 'bytes':
        this.used = true;
        this.out.uint((value as Uint8Array).length);
        this.out.raw(value as Uint8Array);
        return;
      default:
        this.putList(value as readonly unknown[]);
    }
  }

  /** How long it is now. */
  get length(): number {
    return this.out.length;
  }
  /** Hands its bytes on, and is empty. */
  moveTo(block: ByteWriter): void {
    this.zeros = 0;
    if (!this.used) return;
    block.raw(this.out.view());
    this.out.clear();
    this.used = false;
    this.last = 0;
    this.words?.clear();
    this.lastWord = undefined;
  }

  /** Counts a zero before anything else; otherwise the column begins. */
  private isLeading(zero: boolean): boolean {
    if (zero) this.zeros++;
    else this.begin();
    return zero;
  }
  /** How many of the first `count` values are such zeros. */
  private leading(values: ArrayLike<number>, count: number): number {
    let first = 0;
    while (first < count && values[first] === 0) first++;
    this.zeros += first;
    if (first < count) this.begin();
    return first;
  }
  /** The zeros so far have to be there after all. */
  private begin(): void {
    this.used = true;
    this.out.zeros(this.zeros);
  }
  /** A word that the column has had before in this block is its number; a new one follows a 0. */
  private putText(word: string): void {
    // The same word again, as one origin's steps have it, needs no looking up.
    if (word === this.lastWord) {
      this.out.uint(this.lastNumber);
      return;
    }
    this.words ??= new Map();
    const { words, out } = this;
    let number = words.get(word);
    if (number === undefined) {
      number = words.size + 1;
      words.set(word, number);
      out.uint(0);
      out.string(word);
    } else out.uint(number);
    this.lastWord = word;
    this.lastNumber = number;
  }
  private putList(list: readonly unknown[]): void {
    if (!this.used && this.isLeading(list.length === 0)) return;
    this.out.uint(list.length);
    if (this.kind === 'texts') for (let i = 0; i < list.length; i++) this.putText(list[i] as string);
    else for (let i = 0; i < list.length; i++) this.out.int(list[i] as number);
  }
}
