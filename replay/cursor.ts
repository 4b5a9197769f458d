// A place in a run that can be moved, forwards and backwards: the state, the actors and the memory of any moment.
import { type Log, LogError, STEPS_PER_BLOCK } from '../events/log.ts';
import type { Ns } from '../events/units.ts';
import type { Directory } from '../machines/system/directory.ts';
import type { Checkpoint, Dispatcher } from '../machines/system/dispatcher.ts';
import { evolve, type Host, type HostSnapshot } from '../src/host.ts';
import type { Image } from '../src/storage/image.ts';
import type { CheckpointCache } from './cache.ts';
import type { Divergence } from './divergence.ts';
import { emptyHost, newHost } from './fold.ts';
import { follow } from './follow.ts';
import { reenact } from './reenact.ts';
import { isOf, newestCheckpoint } from './resume.ts';

export interface CursorOptions {
  /** At most so many steps are between the states that are kept; more where they would take too much room. */
  readonly every?: number;
  /** Of all states that are kept, about. */
  readonly mostBytes?: number;
  /** Where states and hosts of earlier cursors are, and where this one leaves some for later ones. */
  readonly cache?: CheckpointCache | undefined;
  /** Images that the log does not carry, by the digests in its header. */
  readonly found?: ReadonlyMap<string, Image>;
}

/** A longer way than this, in steps, is worth leaving a state in the cache. */
const FAR = 1 << 16;

export class Cursor {
  private readonly log: Log;
  private readonly cache: CheckpointCache | undefined;
  private readonly mostBytes: number;
  private readonly found: ReadonlyMap<string, Image> | undefined;
  private every: number;
  /** The states before the steps `every`, 2 * `every` ...: those that somebody has come by. */
  private states = new Map<number, HostSnapshot>();
  private bytes = 0;
  private counted = new WeakSet<object>();
  private readonly checkpoints: Checkpoint[] = [];

  constructor(log: Log, { every = STEPS_PER_BLOCK, mostBytes = 2 ** 29, cache, found }: CursorOptions = {}) {
    this.log = log;
    this.every = every;
    this.mostBytes = mostBytes;
    this.cache = cache;
    this.found = found;
  }

  /** The first step after this moment: the state "at" a time is the one before that step. */
  seqAt(time: Ns): number {
    const { log } = this;
    const isAfter = (step: { readonly time: Ns }): boolean => step.time > time;
    // By blocks. Times of pCPUs overlap by less than a slice, so a block may be passed that has an earlier such step: look before it, too.
    let low = log.first;
    let high = log.length;
    while (low < high) {
      const block = log.around((low + high) >> 1);
      const [first] = block;
      if (!first) break;
      if (block.some(isAfter)) high = first.seq;
      else low = first.seq + block.length;
    }
    for (const step of log.steps(Math.max(log.first, low - 2 * STEPS_PER_BLOCK))) if (isAfter(step)) return step.seq;
    return log.length;
  }

  /** Tables, records and XenStore as they were before step `seq`. */
  stateAt(seq: number): Host {
    const kept = this.keptBefore(seq);
    const host = kept ? emptyHost(this.log) : newHost(this.log);
    if (kept) host.restore(kept.state);
    const from = kept?.seq ?? this.restoreCached(host, seq) ?? this.log.first;
    this.fold(host, from, seq);
    return host;
  }
  /** The actors as they were before step `seq`. @throws LogError where they do otherwise than the log by then */
  actorsAt(seq: number): Directory {
    const from = this.hostBefore(seq);
    const { directory, divergence } = follow(this.log, { until: seq, ...(from && { from }) });
    if (divergence) throw parted(divergence, 'follow');
    return directory;
  }
  /**
   * The whole host, with memory, at the first quiet moment at which step `seq` has not been taken or has just been.
   *
   * @throws LogError where it does otherwise than the log by then: that is no moment of the run
   */
  hostAt(seq: number): Dispatcher {
    const from = this.hostBefore(seq);
    const { dispatcher, divergence } = reenact(this.log, {
      ...(from && { from }),
      ...(this.found && { found: this.found }),
      until: seq,
    });
    if (divergence) throw parted(divergence, 'reenact');
    return dispatcher;
  }

  /** Re-enacts the run once and keeps checkpoints of the whole host, so that `hostAt` starts at the nearest one. */
  indexHosts(every = this.every): void {
    this.checkpoints.length = 0;
    let next = every;
    reenact(this.log, {
      onQuiet: (dispatcher) => {
        if (dispatcher.seq < next) return;
        this.checkpoints.push(dispatcher.checkpoint());
        next = dispatcher.seq + every;
      },
    });
  }

  private hostBefore(seq: number): Checkpoint | undefined {
    let from: Checkpoint | undefined;
    for (const checkpoint of this.checkpoints) if (checkpoint.seq <= seq) from = checkpoint;
    const cached = this.cache && newestCheckpoint(this.log, this.cache, seq).checkpoint;
    return cached && cached.seq > (from?.seq ?? 0) ? cached : from;
  }

  private keptBefore(seq: number): { readonly seq: number; readonly state: HostSnapshot } | undefined {
    for (let at = Math.floor(seq / this.every) * this.every; at > 0; at -= this.every) {
      const state = this.states.get(at);
      if (state) return { seq: at, state };
    }
    return undefined;
  }
  /** Brings the host to a state of the cache; the step before which that is. */
  private restoreCached(host: Host, seq: number): number | undefined {
    for (;;) {
      const found = this.cache?.stateBefore(seq, (entry) => isOf(this.log, entry));
      if (!found || found.seq <= this.log.first) return undefined;
      host.restore(found.state);
      if (host.digest() === found.digest) return found.seq;
      this.cache!.forget(found.seq);
      host.restore(newHost(this.log).snapshot());
    }
  }

  /** Applies the facts up to step `to`, and keeps states on the way. */
  private fold(host: Host, from: number, to: number): void {
    let next = this.placeAfter(from);
    let far = from + FAR;
    this.log.facts(
      (fact, seq) => {
        // `every` may grow while states are kept.
        for (; seq >= next; next = this.placeAfter(next)) {
          const state = this.keep(next, host);
          if (next >= far && this.cache) {
            const chain = this.log.chainWith(next - 1);
            if (chain) this.cache.writeState(next, state, host.digest(), chain);
            far = next + FAR;
          }
        }
        evolve(host, fact, seq);
      },
      from,
      to,
    );
  }
  private placeAfter(seq: number): number {
    return (Math.floor(seq / this.every) + 1) * this.every;
  }

  private keep(seq: number, host: Host): HostSnapshot {
    const known = this.states.get(seq);
    if (known) return known;
    const state = host.snapshot();
    this.states.set(seq, state);
    this.bytes += sizeOf(state, this.counted);
    while (this.bytes > this.mostBytes && this.states.size > 1) {
      this.every *= 2;
      this.bytes = 0;
      this.counted = new WeakSet();
      for (const [at, kept] of this.states)
        if (at % this.every === 0) this.bytes += sizeOf(kept, this.counted);
        else this.states.delete(at);
    }
    return state;
  }
}

/** About how many bytes a state takes beyond what is counted already: states share what did not change between them. */
function sizeOf({ xen, tables, records, store }: HostSnapshot, counted: WeakSet<object>): number {
  const isNew = (part: object): boolean => {
    if (counted.has(part)) return false;
    counted.add(part);
    return true;
  };
  let bytes = store.connections.length * 100;
  for (const { chunks, owners } of [...xen.tables, ...tables]) {
    bytes += chunks.length * 8;
    for (const chunk of chunks) if (isNew(chunk)) for (const { byteLength } of chunk.columns) bytes += byteLength + 100;
    if (isNew(owners)) bytes += owners.length * 40;
  }
  for (const one of [...xen.records, ...records]) if (isNew(one)) bytes += one.size * 50;
  return bytes;
}

const parted = ({ seq, what }: Divergence, replay: string): LogError =>
  new LogError(`this xenolog does otherwise than the log at step ${seq} (${what}); see what replay --${replay} says of it`);
