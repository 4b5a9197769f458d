// Takes one command at a time: decide, write guest memory, evolve, log, deliver. Nothing else changes anything.
import { type Observable, Subject } from 'rxjs';
import type { Digest } from '../../events/block.ts';
import { eventsOf, HypervisorBug } from '../../events/step.ts';
import { type DomId, END_OF_TIME, type Ns, US } from '../../events/units.ts';
import { type Command, type Outcome, returnOf, type Step } from '../../events/vocabulary.ts';
import { candidate } from '../../src/core/sched/decide.ts';
import { domidOf, vcpuOf } from '../../src/core/sched/state.ts';
import { decide, evolve, Host, type HostOptions, type HostSnapshot, subsystemOf, writeGuest } from '../../src/host.ts';
import { Memory, type MemorySnapshot } from '../../src/memory/memory.ts';
import { RecordingReader } from '../../src/memory/reader.ts';
import type { Image } from '../../src/storage/image.ts';
import { mix } from '../../src/tables/table.ts';
import { ActorGuests } from '../executor/actor-guests.ts';
import { costOf } from '../executor/costs.ts';
import { Dom0Services } from '../executor/dom0-services.ts';
import type { Asked, Executor, System } from '../executor/system.ts';
import type { ActorSnapshot } from './directory.ts';
import { Directory, type DirectoryOptions, domainOf } from './directory.ts';

export interface DispatcherOptions extends HostOptions, DirectoryOptions {
  /** The disks of the host's configuration, by number. */
  readonly images: readonly Image[];
  /** Where steps go first: the log. Called inside the step; it must not come back. */
  readonly onStep?: (step: Step) => void;
  /** Another `decide`: for mutants. */
  readonly deciding?: typeof decide;
  /**
   * Called at the first quiet moment after every `every` steps, which follows from the run alone: where digests and checkpoints are
   * taken. It must only look.
   */
  readonly pause?: { readonly every: number; readonly at: (dispatcher: Dispatcher) => void };
}

/** Everything that a host is at a quiet moment. */
export interface Checkpoint {
  readonly seq: number;
  readonly now: Ns;
  readonly debt: Ns;
  /** The step from which on the next pause is due. */
  readonly due: number;
  readonly host: HostSnapshot;
  readonly memory: MemorySnapshot;
  readonly actors: ReadonlyMap<string, ActorSnapshot>;
  readonly guests: unknown;
  readonly dom0: unknown;
}

interface Pending {
  readonly command: Command;
  readonly origin: string;
  readonly cause: number | null;
}

/** dom0's services are charged in pieces of this size: small ones would only be steps. */
const CHARGE_NS: Ns = 200 * US;

export class Dispatcher implements System {
  readonly host: Host;
  readonly memory: Memory;
  readonly directory: Directory;
  private readonly steps = new Subject<Step>();
  /** Every step once it has settled. Subscribers may put inputs into the queue, never step. */
  readonly steps$: Observable<Step> = this.steps.asObservable();
  private readonly options: DispatcherOptions;
  private readonly reader: RecordingReader;
  private readonly guests: Executor;
  private readonly dom0: Dom0Services;
  private readonly deciding: typeof decide;
  private queue: Pending[] = [];
  private head = 0;
  private stepping = false;
  private draining = false;
  /** What dom0's services have cost and have not been charged for yet. */
  private debt: Ns = 0;
  private due: number;
  seq = 0;
  now: Ns = 0;

  constructor(options: DispatcherOptions) {
    this.options = options;
    this.due = options.pause?.every ?? Number.POSITIVE_INFINITY;
    this.host = new Host(options);
    this.memory = new Memory(this.host.journal);
    this.reader = new RecordingReader(this.memory);
    this.deciding = options.deciding ?? decide;
    this.directory = new Directory(this.host.journal, (command, origin) => this.asked(command, origin), options);
    this.guests = new ActorGuests(this);
    this.dom0 = new Dom0Services(this);
  }

  get lastSeq(): number {
    return this.seq - 1;
  }
  image(number: number): Image {
    return this.options.images[number]!;
  }
  spend(ns: Ns): void {
    this.now += ns;
    if (this.now >= END_OF_TIME) throw new HypervisorBug('virtual time has reached 2^53 ns: a run may last 104 days');
  }

  /** Whether everything has settled: inputs, marks and checkpoints are possible. */
  get quiet(): boolean {
    return this.head === this.queue.length && !this.stepping && !this.dom0.busy;
  }

  /** An input from outside, at the present moment. The step is taken, and all that follows from it at once. */
  input(command: Command, origin: string): Outcome {
    if (!this.quiet) throw new HypervisorBug('an input while the host is not quiet');
    this.pause();
    const outcome = this.step(command, origin, null).outcome;
    this.settle();
    return outcome;
  }

  hypercall(command: Command, origin: string, cause: number, batch?: number): Outcome {
    if (this.stepping) throw new HypervisorBug(`${command.type} from inside a step`);
    // Whoever calls while the queue is being emptied is a service of dom0; a guest pays with its slice.
    if (this.draining) this.debt += costOf(command);
    const { outcome } = this.step(command, origin, cause, batch);
    this.settle();
    return outcome;
  }

  /** Lets virtual time go on until `limit` (a time that may be the present), or until nothing will ever happen again. */
  run(limit: Ns): void {
    while (this.advance(limit));
    if (limit !== END_OF_TIME && this.now < limit) this.now = limit;
  }

  /** One slice, one timer, or false where the next is beyond `limit`. The host is quiet before and after. */
  advance(limit: Ns): boolean {
    this.settle();
    this.pause();
    if (this.debt >= CHARGE_NS) {
      const ran_ns = this.debt;
      this.debt = 0;
      this.step({ type: 'sched.charge', domid: 0, vcpu: 0, ran_ns }, 'dom0', this.lastSeq);
      return true;
    }
    const timer = this.host.xen.timers.next();
    const slice = this.nextSlice();
    // A scheduler's own timer comes before a guest's of the same moment.
    const own = this.host.xen.sched.nextTimer();
    if (own && (!slice || own.deadline_ns <= slice.at) && (!timer || own.deadline_ns <= timer.deadline_ns)) {
      if (own.deadline_ns > limit) return false;
      this.now = Math.max(this.now, own.deadline_ns);
      this.step({ type: 'sched.expire', kind: own.kind, id: own.id }, 'timer', own.armed_by);
      this.settle();
      return true;
    }
    if (timer && (!slice || timer.deadline_ns <= slice.at)) {
      if (timer.deadline_ns > limit) return false;
      this.now = Math.max(this.now, timer.deadline_ns);
      const { domid, vcpu, kind } = timer;
      this.step({ type: 'timer.expire', domid, vcpu, kind }, 'timer', timer.armed_by);
      this.settle();
      return true;
    }
    if (!slice || slice.at > limit) return false;
    this.runSlice(slice);
    return true;
  }

  /** The earliest moment at which something will happen by itself, or undefined. */
  get nextEvent(): Ns | undefined {
    const { timers, sched } = this.host.xen;
    const moments = [timers.next()?.deadline_ns, sched.nextTimer()?.deadline_ns, this.nextSlice()?.at];
    const known = moments.filter((moment) => moment !== undefined);
    return known.length === 0 ? undefined : Math.min(...known);
  }

  /** An undo point; the function that it answers puts everything back, actors and memory included. */
  mark(): () => void {
    if (!this.quiet) throw new HypervisorBug('a mark while the host is not quiet');
    const { seq, now, debt, due } = this;
    const at = this.host.journal.mark();
    return () => {
      this.host.journal.rollback(at);
      this.queue.length = 0;
      this.head = 0;
      this.seq = seq;
      this.now = now;
      this.debt = debt;
      this.due = due;
    };
  }

  checkpoint(): Checkpoint {
    if (!this.quiet) throw new HypervisorBug('a checkpoint while the host is not quiet');
    return {
      seq: this.seq,
      now: this.now,
      debt: this.debt,
      due: this.due,
      host: this.host.snapshot(),
      memory: this.memory.snapshot(),
      actors: this.directory.snapshot(),
      guests: this.guests.snapshot(),
      dom0: this.dom0.snapshot(),
    };
  }
  restore(checkpoint: Checkpoint): void {
    this.seq = checkpoint.seq;
    this.now = checkpoint.now;
    this.debt = checkpoint.debt;
    // One that was taken without pauses knows of none.
    this.due = this.options.pause ? Math.min(checkpoint.due, this.dueAfter(checkpoint.seq)) : checkpoint.due;
    this.host.restore(checkpoint.host);
    this.memory.restore(checkpoint.memory);
    this.directory.restore(checkpoint.actors);
    this.guests.restore(checkpoint.guests);
    this.dom0.restore(checkpoint.dom0);
  }

  /** Of a quiet moment: what does not follow from equal runs differs. `without`: columns that do not count (`Table.digest`). */
  digest(without?: ReadonlySet<string>): Digest {
    return {
      seq: this.seq,
      state: this.host.digest(without),
      memory: this.memory.digest(),
      actors: this.directory.digest(),
      executors: mix(this.guests.digest(), this.dom0.digest()) >>> 0,
    };
  }

  /** Of its parts by name. Disks are left out: to tell what of them was changed, the images have to be read. */
  *digests(): Generator<[name: string, digest: number]> {
    yield* this.host.digests();
    yield ['memory', this.memory.digest()];
    yield ['actors', this.directory.digest()];
    yield ['guests', this.guests.digest()];
    yield ['xenstored', this.dom0.xenstoredDigest()];
  }

  private pause(): void {
    if (this.seq < this.due) return;
    this.due = this.dueAfter(this.seq);
    this.options.pause?.at(this);
  }
  private dueAfter(seq: number): number {
    const every = this.options.pause?.every ?? Number.POSITIVE_INFINITY;
    return (Math.floor(seq / every) + 1) * every;
  }

  private step(command: Command, origin: string, cause: number | null, batch?: number): Step {
    this.stepping = true;
    const { host } = this;
    const outcome = this.deciding(host, command, this.now, this.reader);
    const seq = this.seq++;
    const reads = this.reader.take();
    const step: Step =
      batch === undefined
        ? { seq, time: this.now, origin, cause, command, reads, outcome }
        : { seq, time: this.now, origin, cause, batch, command, reads, outcome };
    for (const event of eventsOf(outcome)) {
      writeGuest(host, this.memory, event);
      if (event.type === 'domain.destroyed') this.guests.forget(event.domid);
      evolve(host, event, seq);
    }
    this.options.onStep?.(step);
    for (const event of eventsOf(outcome)) this.directory.deliver(event, seq, origin);
    this.dom0.notice(step);
    if (this.directory.has(origin) && !isBehindRing(step)) this.directory.send(origin, returnOf(step));
    const { failed } = this.directory;
    if (failed)
      throw new HypervisorBug(`the actor ${failed.id} failed at step ${seq}: ${String(failed.error)}`, { cause: failed.error });
    this.stepping = false;
    this.steps.next(step);
    return step;
  }

  /** Performs what has been asked of dom0 and of the toolstack, and what their services have to do, until nothing is left. */
  private settle(): void {
    if (this.draining) return;
    this.draining = true;
    for (;;) {
      if (this.head < this.queue.length) {
        const { command, origin, cause } = this.queue[this.head++]!;
        if (this.head === this.queue.length) {
          this.queue.length = 0;
          this.head = 0;
        }
        this.debt += costOf(command);
        this.step(command, origin, cause);
      } else if (!this.dom0.serve()) break;
    }
    this.draining = false;
  }

  /** What an actor emits. Only into a queue: it is performed when the step has settled. */
  private asked(command: Command, origin: string): void {
    const domid = domainOf(origin);
    const asked: Asked = { command, origin, cause: this.seq - 1 };
    if (domid > 0) this.guests.ask(domid, asked);
    else this.queue.push(asked);
  }

  private nextSlice(): { cpu: number; at: Ns; domid: DomId; vcpu: number } | undefined {
    const { sched } = this.host.xen;
    const { local_ns } = sched.pcpu.of(0)!;
    let best: { cpu: number; at: Ns; domid: DomId; vcpu: number } | undefined;
    for (let cpu = 0; cpu < sched.nrCpus; cpu++) {
      const next = candidate(this.host.xen, cpu, local_ns.at(cpu));
      if (next === undefined || (best !== undefined && next.at >= best.at)) continue;
      best = { cpu, at: next.at, domid: domidOf(next.id), vcpu: vcpuOf(next.id) };
    }
    return best;
  }

  private runSlice({ cpu, at, domid, vcpu }: { cpu: number; at: Ns; domid: DomId; vcpu: number }): void {
    const { xen } = this.host;
    this.now = at;
    const cause = xen.sched.vcpu.of(domid)!.woken_by.at(vcpu);
    const outcome = this.hypercall({ type: 'sched.schedule', cpu }, `p${cpu}`, cause);
    // Whoever it was has no budget left, and is out of the way now; or the choice falls on another in the end.
    if (!outcome.ok && (outcome.events?.length ?? 0) > 0) return;
    if (!outcome.ok) throw new HypervisorBug(`pCPU ${cpu} found nobody to run: ${outcome.errno}`);
    const chosen = outcome.value as { domid: DomId; vcpu: number; until_ns: Ns };
    const exit = this.guests.run(chosen.domid, chosen.vcpu, chosen.until_ns);
    if (exit === 'budget')
      this.hypercall({ type: 'sched.preempt', domid: chosen.domid, vcpu: chosen.vcpu }, `p${cpu}`, this.lastSeq);
  }
}

/** A guest's XenStore requests are answered over its ring: their issuer hears of them when it reads the reply there. */
export const isBehindRing = ({ command, origin }: Pick<Step, 'command' | 'origin'>): boolean =>
  subsystemOf(command.type) === 'xenstore' && domainOf(origin) > 0;
