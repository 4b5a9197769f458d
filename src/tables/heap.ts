// A priority queue of small integers, kept in a table so that undo, copy and digest come for free.
import type { Journal } from './journal.ts';
import { type Rows, Table } from './table.ts';

const schema = { item: 'u32' } as const;
const positions = { position: 'u32' } as const;

/**
 * The least item first, by `before`. An item is an id of at most 2^31 - 2 and stands in the heap at most once.
 * Each operation costs the logarithm of the number of items; `before` must be a total order that does not change for items inside.
 */
export class Heap {
  /** Row 0 is the number of items, row i + 1 the item at place i, plus one. */
  readonly items: Table<typeof schema>;
  /** Where an item stands, plus one. The owner is the item's upper bits, so that ids may be sparse. */
  readonly places: Table<typeof positions>;
  private readonly before: (a: number, b: number) => boolean;
  private readonly rows: Rows<typeof schema>;

  constructor(name: string, journal: Journal, before: (a: number, b: number) => boolean) {
    this.items = new Table(name, schema, journal, 64);
    this.places = new Table(`${name}.places`, positions, journal, 64);
    this.before = before;
    this.rows = this.items.add(0);
  }

  /** How many items there are. */
  get size(): number {
    return this.rows.item.at(0);
  }
  /** The least item, or undefined. */
  peek(): number | undefined {
    return this.size === 0 ? undefined : this.at(0);
  }
  has(item: number): boolean {
    return this.placeOf(item) >= 0;
  }
  push(item: number): void {
    const place = this.size;
    this.rows.item.put(0, place + 1);
    this.set(this.up(item, place), item);
  }
  remove(item: number): void {
    const place = this.placeOf(item);
    if (place < 0) return;
    const last = this.size - 1;
    const moved = this.at(last);
    this.rows.item.put(0, last);
    this.rows.item.put(last + 1, 0);
    this.forget(item);
    if (place === last) return;
    const higher = this.up(moved, place);
    this.set(higher === place ? this.down(moved, place) : higher, moved);
  }
  /** The least item that passes `allowed`. Looks at few items where most are allowed. */
  find(allowed: (item: number) => boolean): number | undefined {
    const size = this.size;
    if (size === 0) return undefined;
    const root = this.at(0);
    if (allowed(root)) return root;
    let best: number | undefined;
    const open = [1, 2];
    while (open.length > 0) {
      const place = open.pop()!;
      if (place >= size) continue;
      const item = this.at(place);
      if (best !== undefined && !this.before(item, best)) continue; // nor is anything below it
      if (allowed(item)) best = item;
      else open.push(2 * place + 1, 2 * place + 2);
    }
    return best;
  }
  /** The items, in no particular order. */
  *[Symbol.iterator](): Generator<number> {
    for (let place = 0; place < this.size; place++) yield this.at(place);
  }

  /** A line for whatever is not as a heap should be: for invariants. */
  *flaws(): Generator<string> {
    for (let place = 0; place < this.size; place++) {
      const item = this.at(place);
      if (this.placeOf(item) !== place) yield `item ${item} stands at place ${place} and is noted at ${this.placeOf(item)}`;
      const parent = (place - 1) >> 1;
      if (place > 0 && this.before(item, this.at(parent)))
        yield `item ${item} comes before ${this.at(parent)}, and stands below it`;
    }
    let noted = 0;
    for (const owner of this.places.ids()) for (const _ of this.places.inUse(owner)) noted++;
    if (noted !== this.size) yield `${noted} items are noted, and ${this.size} are there`;
  }

  private at(place: number): number {
    return this.rows.item.at(place + 1) - 1;
  }
  private set(place: number, item: number): void {
    this.rows.item.put(place + 1, item + 1);
    const owner = item >>> 6;
    (this.places.of(owner) ?? this.places.add(owner)).position.put(item & 63, place + 1);
  }
  private forget(item: number): void {
    this.places.of(item >>> 6)!.position.put(item & 63, 0);
  }
  private placeOf(item: number): number {
    return (this.places.of(item >>> 6)?.position.at(item & 63) ?? 0) - 1;
  }
  /** Where an item belongs that would be at a free place or above it. Those that come after it move down. */
  private up(item: number, free: number): number {
    let place = free;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = this.at(parent);
      if (!this.before(item, above)) break;
      this.set(place, above);
      place = parent;
    }
    return place;
  }
  /** The same for one that would be there or below; those that come before it move up. */
  private down(item: number, free: number): number {
    const size = this.size;
    let place = free;
    for (;;) {
      let least = 2 * place + 1;
      if (least >= size) return place;
      if (least + 1 < size && this.before(this.at(least + 1), this.at(least))) least++;
      const below = this.at(least);
      if (!this.before(below, item)) return place;
      this.set(place, below);
      place = least;
    }
  }
}
