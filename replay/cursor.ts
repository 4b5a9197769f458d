// A place in a run that can be moved, forwards and backwards: the state, the actors and the memory of any moment.
import type { Ns } from '../events/units.ts';
import type { Log } from '../events/log.ts';
import type { Checkpoint, Dispatcher } from '../machines/system/dispatcher.ts';
import type { Host } from '../src/host.ts';
import { newHost } from './fold.ts';
import { foldSteps } from './fold.ts';
import { follow } from './follow.ts';
import { reenact } from './reenact.ts';
import type { Directory } from '../machines/system/directory.ts';

/** Steps between the checkpoints that a cursor keeps. */
const CHECKPOINT_EVERY = 10_000;

export class Cursor {
  private readonly log: Log;
  private readonly checkpoints: Checkpoint[] = [];
  constructor(log: Log) {
    this.log = log;
  }

  /** The first step after this moment: the state "at" a time is the one before that step. */
  seqAt(time: Ns): number {
    for (const step of this.log.steps()) if (step.time > time) return step.seq;
    return this.log.length;
  }

  /** Tables, records and XenStore as they were before step `seq`. */
  stateAt(seq: number): Host {
    const host = newHost(this.log);
    const before = this.before(seq);
    if (before) host.restore(before.host);
    return foldSteps(until(this.log.steps(before?.seq ?? 0), seq), host);
  }
  /** The actors as they were before step `seq`. */
  actorsAt(seq: number): Directory {
    return follow(this.log, { until: seq }).directory;
  }
  /** The whole host, with memory, at the last quiet moment before step `seq`, or at `seq` itself. */
  hostAt(seq: number): Dispatcher {
    const from = this.before(seq);
    return reenact(this.log, { ...(from && { from }), until: seq }).dispatcher;
  }

  /** Re-enacts the run once and keeps checkpoints: every later move starts at the nearest one. */
  index(every = CHECKPOINT_EVERY): void {
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

  private before(seq: number): Checkpoint | undefined {
    let found: Checkpoint | undefined;
    for (const checkpoint of this.checkpoints) if (checkpoint.seq <= seq) found = checkpoint;
    return found;
  }
}

function* until<T extends { readonly seq: number }>(steps: Iterable<T>, seq: number): Generator<T> {
  for (const step of steps) {
    if (step.seq >= seq) return;
    yield step;
  }
}
