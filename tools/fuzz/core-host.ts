// The hypervisor alone, as small a host as can run its commands: for fuzzing invariants and for tests.
import { eventsOf, type Ns, type StepOf } from '../../events/index.ts';
import type { Fact } from '../../events/vocabulary.ts';
import { type CoreCommand, type CoreFact, decide, evolve, writeGuest, Xen, type XenOptions } from '../../src/core/index.ts';
import { coreInvariants, type Invariant } from '../../src/core/invariants.ts';
import { tableFlaws } from '../../src/core/mm/invariants.ts';
import { Memory } from '../../src/memory/memory.ts';
import { PlaybackReader, RecordingReader } from '../../src/memory/reader.ts';
import { Journal } from '../../src/tables/journal.ts';

export type CoreStep = StepOf<CoreCommand, Fact>;

/** What a step did that it must not: an invariant, or that it changed anything before its facts did. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export interface CoreHostOptions extends XenOptions {
  /** What is checked after every step; all that the core knows, when left out. */
  readonly invariants?: Readonly<Record<string, Invariant>>;
}

/** 64 MiB and two pCPUs, and no domain yet. */
export const smallMachine: XenOptions = { nrCpus: 2, totalPages: 0x4000, pv32: true, gdbsx: true };

export class CoreHost {
  readonly journal = new Journal();
  readonly memory = new Memory(this.journal);
  readonly xen: Xen;
  readonly steps: CoreStep[] = [];
  now: Ns = 0;
  private readonly reader = new RecordingReader(this.memory);
  private readonly looksAtTables: boolean;
  private readonly invariants: readonly (readonly [string, Invariant])[];

  constructor(options: CoreHostOptions = smallMachine) {
    this.xen = new Xen(this.journal, options);
    this.looksAtTables = options.invariants === undefined;
    this.invariants = Object.entries(options.invariants ?? coreInvariants);
  }

  /** One step: decides, writes guest memory, applies the facts, and then asks all invariants. Throws a `Violation`. */
  submit(command: CoreCommand, batch?: number): CoreStep['outcome'] {
    const outcome = decide(this.xen, command, this.now, this.reader);
    const seq = this.steps.length;
    const reads = this.reader.take();
    const place = batch === undefined ? {} : { batch };
    this.steps.push({ seq, time: this.now, origin: 'fuzz', cause: null, ...place, command, reads, outcome });
    for (const event of eventsOf(outcome) as readonly CoreFact[]) {
      writeGuest(this.xen, this.memory, event);
      evolve(this.xen, event, seq);
    }
    for (const [name, invariant] of this.invariants)
      for (const line of invariant(this.xen)) throw new Violation(`${name}: ${line}, after ${JSON.stringify(command)}`);
    if (this.looksAtTables)
      for (const line of tableFlaws(this.xen, this.memory))
        throw new Violation(`mm.referencesAreThoseOfTables: ${line}, after ${JSON.stringify(command)}`);
    return outcome;
  }

  /** A fact by itself, as if a step had led to it. */
  apply(event: CoreFact): void {
    writeGuest(this.xen, this.memory, event);
    evolve(this.xen, event, this.steps.length);
  }

  /** What a step answers: its value, or the name of its error. */
  answer(command: CoreCommand): unknown {
    const outcome = this.submit(command);
    return outcome.ok ? outcome.value : outcome.errno;
  }

  /** The facts that a step leads to, by name. */
  types(command: CoreCommand): string[] {
    return eventsOf<Fact>(this.submit(command)).map(({ type }) => type);
  }

  /** What must work for a test to make sense. A dying domain's ERESTART is work done. */
  prepare(...commands: readonly CoreCommand[]): this {
    for (const command of commands) {
      const outcome = this.submit(command);
      if (!outcome.ok && outcome.errno !== 'ERESTART') throw new Error(`${outcome.errno} of ${JSON.stringify(command)}`);
    }
    return this;
  }

  /** Moves the clock, and fires what becomes due on the way. */
  advance(ns: Ns): void {
    const end = this.now + ns;
    for (;;) {
      const due = this.xen.timers.next();
      const own = this.xen.sched.nextTimer();
      const at = Math.min(due?.deadline_ns ?? end + 1, own?.deadline_ns ?? end + 1);
      if (at > end) break;
      this.now = Math.max(this.now, at);
      if (own !== undefined && own.deadline_ns === at) this.submit({ type: 'sched.expire', kind: own.kind, id: own.id });
      else if (due !== undefined) this.submit({ type: 'timer.expire', domid: due.domid, vcpu: due.vcpu, kind: due.kind });
    }
    this.now = end;
  }
}

/** The state after the facts of `steps`, from the state that `xen` has. */
export function fold(xen: Xen, steps: readonly CoreStep[]): Xen {
  for (const { seq, outcome } of steps) for (const event of eventsOf(outcome) as readonly CoreFact[]) evolve(xen, event, seq);
  return xen;
}

/**
 * Decides each step again, with what it read then, on the state that its predecessors left. Answers the first step that comes out
 * differently, with what it is now, or null.
 */
export function verify(xen: Xen, steps: readonly CoreStep[]): { step: CoreStep; now: CoreStep['outcome'] } | null {
  for (const step of steps) {
    const reader = new PlaybackReader(step.reads);
    const digest = xen.digest();
    const now = decide(xen, step.command, step.time, reader);
    const isSame = JSON.stringify(now) === JSON.stringify(step.outcome) && reader.exhausted && xen.digest() === digest;
    if (!isSame) return { step, now };
    fold(xen, [step]);
  }
  return null;
}
