// What an actor guest's kernel holds in its own memory and nobody else sees: immutable values behind the host's journal.
import type { DomId, Ns } from '../../events/units.ts';
import type { PingRequest, Stack } from '../../src/net/stack.ts';
import { PageCache } from '../../src/storage/page-source.ts';
import type { PagesSnapshot } from '../../src/storage/pages.ts';
import type { Journal } from '../../src/tables/journal.ts';
import { Records } from '../../src/tables/records.ts';
import { mix } from '../../src/tables/table.ts';
import type { Asked } from './system.ts';

/** A request on a block ring, and what it is for. */
export interface Inflight {
  readonly vdev: number;
  readonly id: number;
  readonly sector: number;
  readonly nr_sectors: number;
  /** Where the bytes go: a cache of pages, or nowhere (`dd of=/dev/null`). */
  readonly cache: string | undefined;
  readonly work: number;
}

export interface GuestPrivate {
  /** What the guest's actors have asked for and no slice has performed yet, oldest first. */
  readonly inbox: readonly Asked[];
  /** Bytes for the XenStore ring that did not fit, and the beginning of a message that came. */
  readonly storeTx: string;
  readonly storeRx: string;
  /** The steps that put what waits in `storeTx` there: the cause of the notification. */
  readonly hvcTx: string;
  /** Computing that is left, by work. */
  readonly compute: readonly { readonly work: number; readonly ns: Ns }[];
  readonly sleeps: readonly { readonly work: number; readonly until: Ns }[];
  /** The deadline that the vCPU's timer is set to; 0 for none. */
  readonly timer: Ns;
  readonly inflight: readonly Inflight[];
  /** Granted pages that the block drivers use again and again: `${vdev}.${id}.${segment}` -> reference. */
  readonly pool: Readonly<Record<string, number>>;
  /** How far a long read or write has come, by work: sectors asked for, sectors done. */
  readonly transfers: Readonly<Record<string, { readonly asked: number; readonly done: number; readonly failed: boolean }>>;
  readonly net: GuestNet | undefined;
}

export interface GuestNet {
  /** The earliest moment at which an interface has something to do; undefined for never. */
  readonly wakeAt: Ns | undefined;
  /** In the order in which they were connected. */
  readonly interfaces: readonly GuestInterface[];
}

export interface GuestInterface {
  readonly devid: number;
  readonly stack: Stack;
  readonly wakeAt: Ns | undefined;
  /** References of the pages that packets come in, used in turn; and of those that they go out from, by tx id. */
  readonly rx: readonly number[];
  readonly tx: readonly number[];
  /** Frames that wait for a free tx slot, as byte strings, with the steps that led to them. */
  readonly waiting: readonly { readonly frame: string; readonly cause: number }[];
  /** Who waits for what: the works of DHCP requests, and of each ping. */
  readonly dhcp: readonly number[];
  readonly pings: readonly (PingRequest & { readonly work: number })[];
}

export const emptyPrivate: GuestPrivate = {
  inbox: [],
  storeTx: '',
  storeRx: '',
  hvcTx: '',
  compute: [],
  sleeps: [],
  timer: 0,
  inflight: [],
  pool: {},
  transfers: {},
  net: undefined,
};

export interface PrivatesSnapshot {
  readonly guests: ReadonlyMap<number, GuestPrivate>;
  readonly caches: readonly (readonly [name: string, sectors: number, pages: PagesSnapshot])[];
}

export class Privates {
  private readonly journal: Journal;
  private readonly guests: Records<GuestPrivate>;
  private readonly caches = new Map<string, PageCache>();
  constructor(journal: Journal) {
    this.journal = journal;
    this.guests = new Records('private', journal);
  }
  get(domid: DomId): GuestPrivate {
    return this.guests.get(domid) ?? emptyPrivate;
  }
  set(domid: DomId, change: Partial<GuestPrivate>): void {
    this.guests.set(domid, { ...this.get(domid), ...change });
  }
  /** Changes an interface; one that is not there stays away. */
  setInterface(domid: DomId, devid: number, change: Partial<GuestInterface>): void {
    const interfaces = this.get(domid).net?.interfaces ?? [];
    if (interfaces.some((one) => one.devid === devid))
      this.setInterfaces(
        domid,
        interfaces.map((one) => (one.devid === devid ? { ...one, ...change } : one)),
      );
  }
  setInterfaces(domid: DomId, interfaces: readonly GuestInterface[]): void {
    const wakes = interfaces.flatMap(({ wakeAt }) => wakeAt ?? []);
    this.set(domid, { net: { interfaces, wakeAt: wakes.length === 0 ? undefined : Math.min(...wakes) } });
  }
  forget(domid: DomId): void {
    this.guests.delete(domid);
    for (const name of [...this.caches.keys()]) if (name.startsWith(`${domid}.`)) this.drop(name);
  }
  /** A cache of a guest's device or partition; empty at first. */
  cache(domid: DomId, name: string, sectors: number): PageCache {
    const key = `${domid}.${name}`;
    let cache = this.caches.get(key);
    if (!cache) {
      cache = new PageCache(sectors, this.journal);
      this.caches.set(key, cache);
      if (this.journal.depth > 0) this.journal.recordUndo(() => this.caches.delete(key));
    }
    return cache;
  }
  digest(): number {
    let hash = this.guests.digest();
    for (const name of this.cacheNames()) hash = mix(hash, this.caches.get(name)!.digest());
    return hash >>> 0;
  }
  snapshot(): PrivatesSnapshot {
    return {
      guests: this.guests.snapshot(),
      caches: this.cacheNames().map((name) => [name, this.caches.get(name)!.sectors, this.caches.get(name)!.snapshot()]),
    };
  }
  restore(snapshot: PrivatesSnapshot): void {
    this.guests.restore(snapshot.guests);
    this.caches.clear();
    for (const [name, sectors, pages] of snapshot.caches) {
      const cache = new PageCache(sectors, this.journal);
      cache.restore(pages);
      this.caches.set(name, cache);
    }
  }
  private cacheNames(): string[] {
    return [...this.caches.keys()].sort((a, b) => (a < b ? -1 : 1));
  }
  private drop(name: string): void {
    const cache = this.caches.get(name)!;
    if (this.journal.depth > 0) this.journal.recordUndo(() => this.caches.set(name, cache));
    this.caches.delete(name);
  }
}
