// Work of an actor guest: what takes time, or the disk, or the network. A process asks for it and hears when it is done.
import { byteString } from '../../events/bytes.ts';
import type { DomId, Ns } from '../../events/units.ts';
import type { Work } from '../../src/guest/state.ts';
import { attempt, readdir, readFile, readSuperblock, type Superblock } from '../../src/storage/ext2/index.ts';
import { type PartitionEntry, parseMbr } from '../../src/storage/mbr.ts';
import { type GuestBlock, MAX_SECTORS } from './guest-block.ts';
import type { GuestNetwork } from './guest-network.ts';
import type { Privates } from './private.ts';
import type { System } from './system.ts';

/** Requests that one long transfer keeps on the ring. */
const DEPTH = 8;
const READ_MAX = 1 << 20;

export class GuestWork {
  private readonly system: System;
  private readonly privates: Privates;
  private readonly block: GuestBlock;
  private readonly network: GuestNetwork;
  constructor(system: System, privates: Privates, block: GuestBlock, network: GuestNetwork) {
    this.system = system;
    this.privates = privates;
    this.block = block;
    this.network = network;
  }

  /** A work has just been accepted: what it needs to remember. */
  start(domid: DomId, number: number): void {
    const { system, privates } = this;
    const work = system.host.guests.records.get(domid)!.works.find((one) => one.work === number)!;
    const own = privates.get(domid);
    const amount = wholeNumber(work.args[0]);
    switch (work.kind) {
      case 'sleep':
        privates.set(domid, { sleeps: [...own.sleeps, { work: number, until: system.now + amount }] });
        return;
      case 'compute':
        privates.set(domid, { compute: [...own.compute, { work: number, ns: amount }] });
        return;
      case 'read_disk':
      case 'write_disk':
        privates.set(domid, { transfers: { ...own.transfers, [number]: { asked: 0, done: 0, failed: false } } });
        return;
      case 'dhcp':
        this.network.startDhcp(domid, work);
        return;
      case 'ping':
        this.network.startPing(domid, work);
        return;
      default:
        return;
    }
  }

  /** Goes on with whatever can go on; false where everything waits for somebody else. */
  progress(domid: DomId, origin: string, until: Ns): boolean {
    const { system, privates } = this;
    const due = privates.get(domid).sleeps.find((sleep) => sleep.until <= system.now);
    if (due) {
      privates.set(domid, { sleeps: privates.get(domid).sleeps.filter((sleep) => sleep !== due) });
      this.finish(domid, due.work, origin, system.lastSeq, '', '');
      return true;
    }
    if (this.network.progress(domid, origin)) return true;
    for (const work of system.host.guests.records.get(domid)?.works ?? []) if (this.goOn(domid, work, origin)) return true;
    return this.compute(domid, origin, until);
  }

  /** Sets the vCPU's timer to the earliest deadline, where it is not set to it already. */
  armTimer(domid: DomId, origin: string): void {
    const { system, privates } = this;
    const own = privates.get(domid);
    const deadlines = own.sleeps.map((sleep) => sleep.until);
    if (own.net?.wakeAt !== undefined) deadlines.push(own.net.wakeAt);
    const next = deadlines.length === 0 ? 0 : Math.max(system.now, Math.min(...deadlines));
    if (next === own.timer || (next === 0 && own.timer === 0)) return;
    privates.set(domid, { timer: next });
    system.hypercall({ type: 'timer.set_timer_op', domid, vcpu: 0, timeout_ns: next }, origin, system.lastSeq);
  }
  timerFired(domid: DomId): void {
    this.privates.set(domid, { timer: 0 });
  }

  private finish(domid: DomId, work: number, origin: string, cause: number, errno: string, result: string): void {
    this.system.hypercall({ type: 'guest.finish_work', domid, work, errno, result }, origin, cause);
  }

  private compute(domid: DomId, origin: string, until: Ns): boolean {
    const { system, privates } = this;
    const [first, ...others] = privates.get(domid).compute;
    if (!first) return false;
    const spent = Math.min(first.ns, Math.max(0, until - system.now));
    system.spend(spent);
    if (spent === first.ns) {
      privates.set(domid, { compute: others });
      this.finish(domid, first.work, origin, system.lastSeq, '', '');
    } else privates.set(domid, { compute: [{ ...first, ns: first.ns - spent }, ...others] });
    return true;
  }

  private goOn(domid: DomId, work: Work, origin: string): boolean {
    switch (work.kind) {
      case 'mount':
      case 'readdir':
      case 'read_file':
        return this.files(domid, work, origin);
      case 'read_disk':
      case 'write_disk':
        return this.transfer(domid, work, origin);
      case 'clock':
        // What the guest's clock says: nanoseconds since its kernel started.
        this.finish(domid, work.work, origin, work.started_by, '', String(this.clock(domid)));
        return true;
      default:
        return false;
    }
  }

  /** args: vdev, first sector, sectors. Keeps some requests on the ring until all are answered. */
  private transfer(domid: DomId, { work, kind, args, started_by }: Work, origin: string): boolean {
    const { privates } = this;
    const vdev = Number(args[0] ?? 0);
    const first = wholeNumber(args[1]);
    const total = wholeNumber(args[2]);
    this.block.abandon(domid, vdev);
    const state = privates.get(domid).transfers[work] ?? { asked: 0, done: 0, failed: false };
    if (state.done >= total || state.failed || !this.block.connected(domid, vdev)) {
      if (privates.get(domid).inflight.some((one) => one.work === work)) return false;
      const failed = state.failed || state.done < total;
      this.forgetTransfer(domid, work);
      this.finish(domid, work, origin, this.system.lastSeq, failed ? 'EIO' : '', String(state.done));
      return true;
    }
    const under_way = privates.get(domid).inflight.filter((one) => one.work === work).length;
    if (state.asked >= total || under_way >= DEPTH) return false;
    const nr_sectors = Math.min(MAX_SECTORS, total - state.asked);
    const request = { vdev, sector: first + state.asked, nr_sectors, cache: undefined, work };
    const op = kind === 'read_disk' ? 'read' : 'write';
    if (!this.block.submit(domid, op, request, origin, started_by, work & 0xff)) return false;
    const transfers = privates.get(domid).transfers;
    privates.set(domid, { transfers: { ...transfers, [work]: { ...state, asked: state.asked + nr_sectors } } });
    return true;
  }

  /** args: vdev, path. Runs from the beginning each time, over what is in the caches; asks the disk for the first piece that is not. */
  private files(domid: DomId, work: Work, origin: string): boolean {
    const { system, privates } = this;
    const vdev = Number(work.args[0]);
    this.block.abandon(domid, vdev);
    const own = privates.get(domid);
    if (own.inflight.some((one) => one.work === work.work)) return false;
    const failed = own.transfers[work.work]?.failed === true;
    if (failed || !this.block.connected(domid, vdev)) {
      this.forgetTransfer(domid, work.work);
      this.finish(domid, work.work, origin, system.lastSeq, failed ? 'EIO' : 'ENODEV', '');
      return true;
    }
    const outcome = this.read(domid, vdev, work);
    if ('need' in outcome) {
      const { sector, nr_sectors, cache } = outcome.need;
      return this.block.submit(domid, 'read', { vdev, sector, nr_sectors, cache, work: work.work }, origin, work.started_by);
    }
    const done = 'done' in outcome;
    this.finish(domid, work.work, origin, system.lastSeq, done ? '' : outcome.error, done ? outcome.done : outcome.reason);
    return true;
  }

  private read(
    domid: DomId,
    vdev: number,
    { kind, args }: Work,
  ): { done: string } | { need: Need } | { error: string; reason: string } {
    const { privates } = this;
    const sectors = this.sectors(domid, vdev);
    const disk = privates.cache(domid, `${vdev}`, sectors);
    const sector0 = disk.page(0);
    if (!sector0) return { need: { sector: 0, nr_sectors: Math.min(8, sectors), cache: `${vdev} 0 ${sectors}` } };
    const table = parseMbr(sector0.subarray(0, 512), sectors);
    const entry: PartitionEntry | undefined = table.ok
      ? (table.entries.find((one) => one.active) ?? table.entries[0])
      : undefined;
    // A disk without a partition table may be a file system as a whole.
    const start = entry?.start ?? 0;
    const size = entry?.count ?? sectors;
    const name = entry ? `${vdev}p${entry.number}` : `${vdev}`;
    const cache = privates.cache(domid, name, size);
    const outcome = attempt(cache, () => operate(kind, args[1] ?? '/', entry?.number ?? 0));
    if (!('need' in outcome)) return outcome;
    return {
      need: {
        sector: start + outcome.need.sector,
        nr_sectors: Math.min(MAX_SECTORS, outcome.need.count),
        cache: `${name} ${start} ${size}`,
      },
    };

    function* operate(what: Work['kind'], path: string, partition: number) {
      const fs: Superblock = yield* readSuperblock(size);
      switch (what) {
        case 'mount':
          return `${partition} ${fs.label}`;
        case 'readdir': {
          const names = (yield* readdir(fs, path)).map(({ name: entryName }) => entryName);
          return names.filter((one) => one !== '.' && one !== '..').join('\n');
        }
        default:
          return byteString(yield* readFile(fs, path, READ_MAX));
      }
    }
  }

  /** What the frontend was told of the disk's size, and keeps in its own memory: here the backend's row stands for both. */
  private sectors(domid: DomId, vdev: number): number {
    const { vbds } = this.system.host;
    const backend = vbds.front.of(domid)!.backend.at(vbds.frontRow(domid, vdev));
    const row = vbds.backRow(backend, domid, vdev);
    return row < 0 ? 0 : vbds.back.of(backend)!.sectors.at(row);
  }

  private clock(domid: DomId): Ns {
    return this.system.now - this.system.host.guests.records.get(domid)!.started_ns;
  }

  private forgetTransfer(domid: DomId, work: number): void {
    const { [String(work)]: _, ...transfers } = this.privates.get(domid).transfers;
    this.privates.set(domid, { transfers });
  }
}

/** An amount as text: a decimal number of up to 15 digits; anything else is nothing. */
const wholeNumber = (text = ''): number => (/^\d{1,15}$/.test(text) ? Number(text) : 0);

interface Need {
  readonly sector: number;
  readonly nr_sectors: number;
  readonly cache: string;
}
