// Watches: tools/xenstore/xenstored_watch.c. Found by path, so that an event costs what it wakes and not what there is.
import { homeOf, upwards } from './path.ts';
import type { Undoable } from './undo.ts';

export interface Watch {
  readonly conn: number;
  /** When the connection came: events go to the oldest connection first. */
  readonly connOrder: number;
  /** When the watch came: then to its oldest watch. */
  readonly order: number;
  /** As the client wrote it; events name their paths relative to the same place. */
  readonly path: string;
  /** Absolute. */
  readonly node: string;
  readonly token: string;
  /** How many levels below the node it reaches; -1: all. */
  readonly depth: number;
}

/** A watch of a connection is known by its node and token: the relative and the absolute form are the same. */
export const watchKey = (node: string, token: string): string => `${node}\0${token}`;

/** What a watch takes of the daemon's memory, and an event that waits, which is given as its key. */
export const sizeOfWatch = ({ node, token }: Pick<Watch, 'node' | 'token'>): number => node.length + token.length;
export const sizeOfEvent = (key: string): number => key.length + 1 + HEADER;
const HEADER = 16;

/** The path of an event as the watcher of `watch` knows it. */
export const seenBy = (watch: Watch, path: string, domid: number): string =>
  watch.path === watch.node ? path : path.slice(homeOf(domid).length + 1);

export class WatchIndex {
  private readonly byNode = new Map<string, Watch[]>();
  private readonly undo: Undoable;
  constructor(undo: Undoable) {
    this.undo = undo;
  }

  add(watch: Watch): void {
    const list = this.byNode.get(watch.node);
    if (list) this.undo.push(list, watch);
    else this.undo.put(this.byNode, watch.node, [watch]);
  }

  remove(watch: Watch): void {
    const list = this.byNode.get(watch.node)!;
    if (list.length === 1) this.undo.drop(this.byNode, watch.node);
    else this.undo.pull(list, watch);
  }

  /** The watches placed exactly here. */
  at(node: string): readonly Watch[] {
    return this.byNode.get(node) ?? [];
  }

  /** Those that an event at `path` concerns, in the order of their events. `exact`: none above. */
  matching(path: string, exact: boolean): readonly Watch[] {
    if (exact || path.startsWith('@')) return inOrder(this.at(path).filter((watch) => reaches(watch, 0)));
    if (this.byNode.size === 0) return none;
    const found: Watch[] = [];
    let levels = 0;
    for (const node of upwards(path)) {
      for (const watch of this.at(node)) if (reaches(watch, levels)) found.push(watch);
      levels++;
    }
    return inOrder(found);
  }

  /** Those on a special node that hear of domains without being told which. */
  ofAnyDomain(special: string): readonly Watch[] {
    return inOrder(this.at(special).filter(({ depth }) => depth < 0));
  }
  /** Those that hear of this domain: on the name with its number, or as deep as that. */
  ofDomain(special: string, domid: number): readonly Watch[] {
    return inOrder([...this.at(`${special}/${domid}`), ...this.at(special).filter(({ depth }) => depth > 0)]);
  }

  *[Symbol.iterator](): Generator<Watch> {
    for (const list of this.byNode.values()) yield* list;
  }
}

const none: readonly Watch[] = [];
const reaches = (watch: Watch, levels: number): boolean => watch.depth < 0 || levels <= watch.depth;

const inOrder = (watches: Watch[]): readonly Watch[] =>
  watches.length < 2 ? watches : watches.sort((a, b) => a.connOrder - b.connOrder || a.order - b.order);
