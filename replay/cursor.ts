// A place in a run that can be moved, forwards and backwards: the state, the actors and the memory of any moment.
import type { Log } from '../events/log.ts';
import type { Ns } from '../events/units.ts';
import type { Directory } from '../machines/system/directory.ts';
import type { Checkpoint, Dispatcher } from '../machines/system/dispatcher.ts';
import { evolve, type Host, type HostSnapshot } from '../src/host.ts';
import { newHost } from './fold.ts';
import { follow } from './follow.ts';
import { reenact } from './reenact.ts';

/** Steps between the states that a cursor keeps. */
const EVERY = 10_000;

export class Cursor {
  private readonly log: Log;
  private readonly every: number;
  /** The states before the steps `every`, 2 * `every` ...; made when a state is first asked for. */
  private states: HostSnapshot[] | undefined;
  private readonly checkpoints: Checkpoint[] = [];
  constructor(log: Log, every = EVERY) {
    this.log = log;
    this.every = every;
  }

  /** The first step after this moment: the state "at" a time is the one before that step. */
  seqAt(time: Ns): number {
    for (const step of this.log.steps()) if (step.time > time) return step.seq;
    return this.log.length;
  }

  /** Tables, records and XenStore as they were before step `seq`. */
  stateAt(seq: number): Host {
    this.states ??= this.fold();
    const host = newHost(this.log);
    const kept = Math.min(Math.floor(seq / this.every), this.states.length);
    if (kept > 0) host.restore(this.states[kept - 1]!);
    this.log.facts((fact, at) => evolve(host, fact, at), kept * this.every, seq);
    return host;
  }
  /** The actors as they were before step `seq`. */
  actorsAt(seq: number): Directory {
    return follow(this.log, { until: seq }).directory;
  }
  /** The whole host, with memory, at the first quiet moment at which step `seq` has not been taken or has just been. */
  hostAt(seq: number): Dispatcher {
    let from: Checkpoint | undefined;
    for (const checkpoint of this.checkpoints) if (checkpoint.seq <= seq) from = checkpoint;
    return reenact(this.log, { ...(from && { from }), until: seq }).dispatcher;
  }

  /** Re-enacts the run once and keeps checkpoints of the whole host, so that `hostAt` starts at the nearest one. */
  indexHosts(): void {
    this.checkpoints.length = 0;
    let next = this.every;
    reenact(this.log, {
      onQuiet: (dispatcher) => {
        if (dispatcher.seq < next) return;
        this.checkpoints.push(dispatcher.checkpoint());
        next = dispatcher.seq + this.every;
      },
    });
  }

  private fold(): HostSnapshot[] {
    const host = newHost(this.log);
    const states: HostSnapshot[] = [];
    let next = this.every;
    this.log.facts((fact, seq) => {
      for (; seq >= next; next += this.every) states.push(host.snapshot());
      evolve(host, fact, seq);
    });
    return states;
  }
}
