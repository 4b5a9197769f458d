// The least of a XenStore that predicts replies and events of privileged clients: flat maps, no index, no sharing.
import { parentOf } from '../../src/xenstore/path.ts';

interface ModelNode {
  value: string;
  kids: string[];
  version: number;
}
interface ModelTransaction {
  /** What it saw when it first looked, and the version of that; 0 is nothing. */
  readonly seen: Map<string, number>;
  readonly copies: Map<string, ModelNode | undefined>;
  readonly fires: Map<string, 'exact' | 'subtree'>;
  readonly written: Set<string>;
}
export type Result = { readonly ok: true; readonly value?: unknown } | { readonly ok: false; readonly errno: string };
type Fired = readonly [conn: number, path: string, token: string];

export class Model {
  readonly transactions = new Map<string, ModelTransaction>();
  events: Fired[] = [];
  private readonly nodes = new Map<string, ModelNode>();
  private watches: Fired[] = [];
  private readonly last = new Map<number, number>();
  private clock = 0;

  constructor(paths: readonly string[]) {
    this.nodes.set('/', { value: '', kids: [], version: ++this.clock });
    for (const path of paths) this.write(undefined, path, '');
    this.events = [];
  }

  read(key: string | undefined, path: string): Result {
    const node = this.look(key, path);
    return node ? { ok: true, value: node.value } : this.missing(key, path);
  }
  directory(key: string | undefined, path: string): Result {
    const node = this.look(key, path);
    return node ? { ok: true, value: [...node.kids] } : this.missing(key, path);
  }
  write(key: string | undefined, path: string, value: string): Result {
    const node = this.look(key, path);
    if (node) this.put(key, path, { ...node, value });
    else {
      this.missing(key, path);
      this.create(key, path, value);
    }
    this.fire(key, path, 'subtree');
    return { ok: true };
  }
  mkdir(key: string | undefined, path: string): Result {
    return this.look(key, path) ? { ok: true } : this.write(key, path, '');
  }
  rm(key: string | undefined, path: string): Result {
    if (!this.look(key, path)) {
      this.missing(key, path);
      return this.look(key, parentOf(path)) ? { ok: true } : { ok: false, errno: 'ENOENT' };
    }
    const parent = this.look(key, parentOf(path));
    if (!parent) return { ok: false, errno: 'EINVAL' };
    const torn = !this.leave(key, path, path);
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (torn || !parent.kids.includes(name)) return { ok: false, errno: 'EIO' };
    this.unlist(key, path);
    return { ok: true };
  }

  start(conn: number): Result {
    const tx = (this.last.get(conn) ?? 0) + 1;
    this.last.set(conn, tx);
    this.transactions.set(`${conn} ${tx}`, { seen: new Map(), copies: new Map(), fires: new Map(), written: new Set() });
    return { ok: true, value: tx };
  }
  end(key: string, commit: boolean): Result {
    const transaction = this.transactions.get(key)!;
    this.transactions.delete(key);
    if (!commit) return { ok: true };
    for (const [path, version] of transaction.seen)
      if ((this.nodes.get(path)?.version ?? 0) !== version) return { ok: false, errno: 'EAGAIN' };
    for (const path of transaction.seen.keys()) {
      if (!transaction.written.has(path)) continue;
      const copy = transaction.copies.get(path);
      if (copy) this.nodes.set(path, { ...copy, kids: [...copy.kids], version: ++this.clock });
      else this.nodes.delete(path);
    }
    for (const path of transaction.seen.keys()) {
      const kind = transaction.fires.get(path);
      if (kind && (transaction.seen.get(path) !== 0 || transaction.copies.get(path))) this.fire(undefined, path, kind);
    }
    return { ok: true };
  }

  watch(conn: number, path: string, token: string): Result {
    if (this.watches.some((watch) => same(watch, [conn, path, token]))) return { ok: false, errno: 'EEXIST' };
    this.watches.push([conn, path, token]);
    this.events.push([conn, path, token]);
    return { ok: true };
  }
  unwatch(conn: number, path: string, token: string): Result {
    const before = this.watches.length;
    this.watches = this.watches.filter((watch) => !same(watch, [conn, path, token]));
    return this.watches.length < before ? { ok: true } : { ok: false, errno: 'ENOENT' };
  }

  /** Every path with its value, and what is listed below it. */
  contents(): [string, string, readonly string[]][] {
    return [...this.nodes].map(([path, { value, kids }]) => [path, value, kids]);
  }

  private look(key: string | undefined, path: string): ModelNode | undefined {
    if (key === undefined) return this.nodes.get(path);
    const { seen, copies } = this.transactions.get(key)!;
    if (!seen.has(path)) {
      const node = this.nodes.get(path);
      seen.set(path, node?.version ?? 0);
      copies.set(path, node && { ...node, kids: [...node.kids] });
    }
    return copies.get(path);
  }

  /** Looks upwards to the first that is there: it says whether a client may know that the node is not. */
  private missing(key: string | undefined, path: string): Result {
    for (let at = parentOf(path); !this.look(key, at); at = parentOf(at));
    return { ok: false, errno: 'ENOENT' };
  }

  private put(key: string | undefined, path: string, node: ModelNode | undefined): void {
    if (key !== undefined) {
      const transaction = this.transactions.get(key)!;
      transaction.copies.set(path, node);
      transaction.written.add(path);
    } else if (node) this.nodes.set(path, { ...node, version: ++this.clock });
    else this.nodes.delete(path);
  }

  private create(key: string | undefined, path: string, value: string): void {
    const parent = parentOf(path);
    if (!this.look(key, parent)) this.create(key, parent, '');
    const kids = [...this.look(key, parent)!.kids, path.slice(path.lastIndexOf('/') + 1)];
    this.put(key, parent, { ...this.look(key, parent)!, kids });
    this.put(key, path, { value, kids: [], version: 0 });
  }

  /** Children first; false where a listed child is not there. */
  private leave(key: string | undefined, path: string, root: string): boolean {
    const node = this.look(key, path);
    if (!node) return false;
    for (const kid of [...node.kids]) {
      if (!this.leave(key, `${path}/${kid}`, root)) return false;
      this.unlist(key, `${path}/${kid}`);
    }
    this.put(key, path, undefined);
    this.fire(key, path, path === root ? 'subtree' : 'exact');
    return true;
  }

  private unlist(key: string | undefined, path: string): void {
    const parent = this.look(key, parentOf(path))!;
    const kids = [...parent.kids];
    kids.splice(kids.indexOf(path.slice(path.lastIndexOf('/') + 1)), 1);
    this.put(key, parentOf(path), { ...parent, kids });
  }

  private fire(key: string | undefined, path: string, kind: 'exact' | 'subtree'): void {
    if (key !== undefined) {
      const { fires } = this.transactions.get(key)!;
      if (kind === 'subtree' || !fires.has(path)) fires.set(path, kind);
      return;
    }
    const hit = this.watches.filter(([, at]) => at === path || (kind === 'subtree' && (at === '/' || path.startsWith(`${at}/`))));
    const sent = new Set<string>();
    for (const [conn, , token] of hit.sort(([a], [b]) => a - b)) {
      if (!sent.has(`${conn} ${token}`)) this.events.push([conn, path, token]);
      sent.add(`${conn} ${token}`);
    }
  }
}

const same = (a: Fired, b: Fired): boolean => a.every((part, i) => part === b[i]);
