// Records of what happens, in the form of public/trace.h, in the pages that a tool of dom0 has mapped (xen/common/trace.c, __trace_var()).
import { type DomId, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { Fact, FactOf } from '../../../events/vocabulary.ts';
import type { Frames } from '../../memory/memory.ts';
import { POD_CACHE, UNPLACED } from '../p2m/state.ts';
import type { Xen } from '../xen.ts';
import { type Buffers, FIRST_OFFSET, frameAt, T_BUF_SIZE } from './state.ts';

const CLS_SHIFT = 16;
const SUBCLS_SHIFT = 12;
const EXTRA_SHIFT = 28;
const CYCLES = 2 ** 31;
const EXTRA_MAX = 7;
const TRC = {
  LOST_RECORDS: 0x1f001,
  WRAP_BUFFER: 0x1f002,
  RUNSTATE_CHANGE: 0x21001,
  DOM_ADD: 0x28001,
  DOM_REM: 0x28002,
  SLEEP: 0x28003,
  WAKE: 0x28004,
  BLOCK: 0x28006,
  SHUTDOWN: 0x28007,
  SWITCH_INFPREV: 0x2800e,
  SWITCH_INFNEXT: 0x2800f,
  DOM0_DOM_ADD: 0x41001,
  DOM0_DOM_REM: 0x41002,
  GRANT_MAP: 0x10f001,
  GRANT_UNMAP: 0x10f002,
  GRANT_TRANSFER: 0x10f003,
  DECREASE_RESERVATION: 0x10f005,
  POD_POPULATE: 0x10f010,
  HYPERCALL_V2: 0x20100d,
  GUEST: 0x800f000,
} as const;
const RUNSTATE = { running: 0, runnable: 1, blocked: 2, offline: 3 } as const;
/** A record of lost ones: when, how many, whose, and since when. */
const LOST_SIZE = 4 + 8 + 16;

/** The list of buffers, for those who map t_info; every buffer begins empty. */
export function allocate(memory: Frames, { pages, cpus, info, buffers }: FactOf<'trace.buffers_allocated'>): void {
  const word = (index: number, value: number): void =>
    memory.put32(frameAt(info, Math.floor((index * 4) / PAGE_SIZE)), (index * 4) % PAGE_SIZE, value);
  const first = frameAt(info, 0);
  memory.put16(first, 0, pages);
  for (let cpu = 0; cpu < cpus; cpu++) {
    const offset = FIRST_OFFSET + cpu * pages;
    memory.put16(first, 2 + cpu * 2, offset);
    for (let i = 0; i < pages; i++) word(offset + i, frameAt(buffers, cpu * pages + i));
    memory.put32(frameAt(buffers, cpu * pages), 0, 0);
    memory.put32(frameAt(buffers, cpu * pages), 4, 0);
  }
}

/** What a fact leaves in the buffers. Called while tracing is on, live and in re-enactment, before `evolve`. */
export function record(xen: Xen, memory: Frames, event: Fact): void {
  const buffers = xen.trace.buffers;
  if (buffers === undefined) return;
  const put = (cpu: number, trace: number, extra: readonly number[], at_ns?: Ns): void => {
    if (passes(xen, buffers, cpu, trace)) new Buffer(xen, memory, buffers, cpu).insert({ trace, extra, tsc: tscAt(xen, at_ns) });
  };
  switch (event.type) {
    case 'vcpu.scheduled': {
      const { domid, vcpu, cpu, at_ns, until_ns } = event;
      const waited = at_ns - xen.sched.vcpu.of(domid)!.entry_ns.at(vcpu);
      runstate(xen, put, { domid, vcpu, at_ns }, RUNSTATE.running, cpu);
      put(cpu, TRC.SWITCH_INFNEXT, [domid, vcpu, waited >>> 0, (until_ns - at_ns) >>> 0], at_ns);
      return;
    }
    case 'vcpu.blocked':
    case 'vcpu.preempted': {
      const { domid, vcpu, at_ns } = event;
      const { cpu, entry_ns } = xen.sched.vcpu.of(domid)!;
      if (event.type === 'vcpu.blocked') put(cpu.at(vcpu), TRC.BLOCK, [domid, vcpu], at_ns);
      put(cpu.at(vcpu), TRC.SWITCH_INFPREV, [domid, vcpu, (at_ns - entry_ns.at(vcpu)) >>> 0], at_ns);
      runstate(xen, put, event, event.type === 'vcpu.blocked' ? RUNSTATE.blocked : RUNSTATE.runnable);
      return;
    }
    case 'vcpu.woken': {
      const { domid, vcpu, at_ns } = event;
      put(xen.sched.vcpu.of(domid)!.cpu.at(vcpu), TRC.WAKE, [domid, vcpu], at_ns);
      runstate(xen, put, event, RUNSTATE.runnable);
      return;
    }
    case 'vcpu.paused': {
      const { domid, vcpu, at_ns } = event;
      put(xen.sched.vcpu.of(domid)!.cpu.at(vcpu), TRC.SLEEP, [domid, vcpu], at_ns);
      runstate(xen, put, event, RUNSTATE.offline);
      return;
    }
    case 'domain.created':
      put(0, TRC.DOM0_DOM_ADD, [event.domid]);
      put(0, TRC.DOM_ADD, [event.domid]);
      return;
    case 'domain.destroyed':
      put(0, TRC.DOM0_DOM_REM, [event.domid]);
      put(0, TRC.DOM_REM, [event.domid]);
      return;
    case 'domain.shut_down':
      put(0, TRC.SHUTDOWN, [event.domid, 0, REASONS.indexOf(event.reason)], event.at_ns);
      return;
    case 'trace.hypercall_made': {
      const { domid, vcpu, op, at_ns } = event;
      put(xen.sched.vcpu.of(domid)!.cpu.at(vcpu), TRC.HYPERCALL_V2, [op], at_ns);
      return;
    }
    case 'trace.guest_recorded': {
      const { domid, event: number, extra } = event;
      put(xen.sched.vcpu.of(domid)!.cpu.at(0), TRC.GUEST | number, wordsOf(extra));
      return;
    }
    case 'gnttab.mapped':
      put(0, TRC.GRANT_MAP, [event.dom]);
      return;
    case 'gnttab.unmapped':
      put(0, TRC.GRANT_UNMAP, [event.dom]);
      return;
    case 'p2m.moved': {
      // Out of the cache of pages to be populated, to where one was touched.
      const { domid, gfn, to } = event;
      if (gfn < POD_CACHE || to >= UNPLACED) return;
      const mfn = gfn - POD_CACHE;
      put(0, TRC.POD_POPULATE, [to >>> 0, Math.floor(to / 2 ** 32), mfn >>> 0, Math.floor(mfn / 2 ** 32), domid, 0]);
      return;
    }
    case 'trace.reservation_decreased': {
      const { domid, gmfn, extent_order } = event;
      put(0, TRC.DECREASE_RESERVATION, [gmfn >>> 0, Math.floor(gmfn / 2 ** 32), domid | (extent_order << 16), 0]);
      return;
    }
    case 'gnttab.page_transferred':
      put(0, TRC.GRANT_TRANSFER, [event.dom]);
      return;
  }
}
/** The last word of odd bytes is filled with zeroes. */
function wordsOf(bytes: Uint8Array): number[] {
  const words = new Uint8Array(Math.ceil(bytes.length / 4) * 4);
  words.set(bytes);
  const view = new DataView(words.buffer);
  return Array.from({ length: words.length / 4 }, (_, i) => view.getUint32(i * 4, true));
}
const REASONS: readonly string[] = ['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'];

type Put = (cpu: number, trace: number, extra: readonly number[], at_ns?: Ns) => void;
/** trace_runstate_change(): both states stand in the event's number. */
function runstate(xen: Xen, put: Put, at: { domid: DomId; vcpu: number; at_ns: Ns }, to: number, cpu?: number): void {
  const rows = xen.sched.vcpu.of(at.domid)!;
  const from = rows.runstate.is(at.vcpu);
  if (from === 'none' || RUNSTATE[from] === to) return;
  const trace = TRC.RUNSTATE_CHANGE | (RUNSTATE[from] << 8) | (to << 4);
  put(cpu ?? rows.cpu.at(at.vcpu), trace, [at.vcpu | (at.domid << 16)], at.at_ns);
}

function passes(xen: Xen, { cpus, without }: Buffers, cpu: number, trace: number): boolean {
  const { mask } = xen.trace;
  const subclass = (value: number): number => (value >>> SUBCLS_SHIFT) & 0xf;
  return (
    (mask & trace) !== 0 &&
    ((mask >>> CLS_SHIFT) & (trace >>> CLS_SHIFT)) !== 0 &&
    (subclass(mask) & subclass(trace)) !== 0 &&
    cpu < cpus &&
    !without.includes(cpu)
  );
}

/** What the time stamp counter showed; undefined for what says nothing of its time. */
const tscAt = (xen: Xen, at_ns: Ns | undefined): bigint | undefined =>
  at_ns === undefined ? undefined : (BigInt(at_ns) * BigInt(xen.clock.tscKhz)) / 1_000_000n;

interface Entry {
  readonly trace: number;
  readonly extra: readonly number[];
  readonly tsc: bigint | undefined;
}

/** Frames of Xen's own, one for each pCPU: what it keeps of records that found no room. */
const LOST_MFN = 0x800;

/** The buffer of a pCPU: cons and prod count to twice its size, so that full and empty differ. */
class Buffer {
  private readonly size: number;
  private readonly first: number;
  private readonly memory: Frames;
  private readonly frames: readonly number[];
  private readonly cpu: number;
  constructor(xen: Xen, memory: Frames, { buffers }: Buffers, cpu: number) {
    const { pages } = xen.trace;
    this.memory = memory;
    this.frames = buffers;
    this.cpu = cpu;
    this.first = cpu * pages;
    this.size = pages * PAGE_SIZE - T_BUF_SIZE;
  }

  insert(entry: Entry): void {
    const { memory, size } = this;
    const page = frameAt(this.frames, this.first);
    const cons = memory.get32(page, 0) >>> 0;
    const prod = memory.get32(page, 4) >>> 0;
    // A tool that writes nonsense there gets no more records (bogus()).
    if (cons >= 2 * size || prod >= 2 * size || cons % 4 !== 0 || prod % 4 !== 0) return;
    const used = (prod - cons + 2 * size) % (2 * size);
    if (used > size) return;
    const lost = memory.get32(LOST_MFN + this.cpu, 0);
    const length = lengthOf(entry);
    let tail = size - (prod % size);
    let total = 0;
    if (lost > 0) {
      if (LOST_SIZE > tail) {
        total += tail;
        tail = size;
      }
      total += LOST_SIZE;
      tail = tail === LOST_SIZE ? size : tail - LOST_SIZE;
    }
    total += (length > tail ? tail : 0) + length;
    if (total > size - used) {
      memory.put32(LOST_MFN + this.cpu, 0, lost + 1);
      if (lost === 0) memory.put64(LOST_MFN + this.cpu, 8, entry.tsc ?? 0n);
      return;
    }
    let at = prod;
    if (lost > 0) {
      const since = memory.get64(LOST_MFN + this.cpu, 8);
      const extra = [lost, 0xffff_7fff, Number(since & 0xffff_ffffn), Number(since >> 32n)];
      at = this.write(this.wrap(at, LOST_SIZE), { trace: TRC.LOST_RECORDS, extra, tsc: entry.tsc ?? 0n });
      memory.put32(LOST_MFN + this.cpu, 0, 0);
    }
    at = this.write(this.wrap(at, length), entry);
    memory.put32(page, 4, at);
  }

  /** Where the next record can be in one piece: a record of its own fills what is left before the end. */
  private wrap(at: number, length: number): number {
    const tail = this.size - (at % this.size);
    if (length <= tail) return at;
    const words = tail / 4 - 1;
    const isLong = words > EXTRA_MAX;
    const extra = Array(isLong ? words - 2 : words).fill(0);
    return this.write(at, { trace: TRC.WRAP_BUFFER, extra, tsc: isLong ? 0n : undefined });
  }

  private write(at: number, { trace, extra, tsc }: Entry): number {
    const stamp = tsc === undefined ? [] : [Number(tsc & 0xffff_ffffn), Number((tsc >> 32n) & 0xffff_ffffn)];
    const words = [
      (trace & 0x0fff_ffff) + extra.length * 2 ** EXTRA_SHIFT + (tsc === undefined ? 0 : CYCLES),
      ...stamp,
      ...extra,
    ];
    for (const [i, word] of words.entries()) {
      const place = T_BUF_SIZE + (at % this.size) + i * 4;
      const frame = frameAt(this.frames, this.first + Math.floor(place / PAGE_SIZE));
      this.memory.put32(frame, place % PAGE_SIZE, word >>> 0);
    }
    return (at + words.length * 4) % (2 * this.size);
  }
}

const lengthOf = ({ extra, tsc }: Entry): number => 4 + (tsc === undefined ? 0 : 8) + extra.length * 4;
