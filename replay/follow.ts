// The third replay: the machines again, over the logged facts and returns. What was each actor doing? Do they still act the same?
import type { Log } from '../events/log.ts';
import { type Command, returnOf, type Step } from '../events/vocabulary.ts';
import type { PrivatesSnapshot } from '../machines/executor/private.ts';
import { Directory, type DirectoryOptions } from '../machines/system/directory.ts';
import { type Checkpoint, isBehindRing } from '../machines/system/dispatcher.ts';
import { Journal } from '../src/tables/journal.ts';
import { type Divergence, same } from './divergence.ts';
import { startOf } from './start.ts';
import { requestsUnderWay } from './under-way.ts';
import { differs } from './verify.ts';

export interface FollowOptions extends DirectoryOptions {
  /** Start here instead of at the beginning. */
  readonly from?: Checkpoint;
  /** Stop before this step. */
  readonly until?: number;
  readonly onStep?: (step: Step) => void;
}
export interface Followed {
  readonly directory: Directory;
  readonly divergence: Divergence | null;
}

/**
 * Runs the machines alone: no core, no memory, no images. What a machine asks for is compared with what the log says it asked for next,
 * machine by machine, in order.
 */
export function follow(log: Log, { from = startOf(log), until = log.length, onStep, ...options }: FollowOptions = {}): Followed {
  const asked = new Asked();
  const directory = new Directory(new Journal(), (command, id) => asked.add(id, command), options);
  if (from) {
    directory.restore(from.actors);
    asked.resume(log, from);
  }
  for (const step of log.steps(from?.seq)) {
    if (step.seq >= until) break;
    onStep?.(step);
    const wrong = asked.compare(step, directory);
    if (wrong) return { directory, divergence: differs(log, step, wrong.what, wrong.expected, wrong.got) };
    for (const event of step.outcome.events ?? []) directory.deliver(event, step.seq, step.origin);
    if (!isBehindRing(step)) directory.send(step.origin, returnOf(step));
    if (directory.failed) {
      const { id, error } = directory.failed;
      return {
        directory,
        divergence: differs(log, step, `the actor ${id} fails: ${String(error)}`, 'no failure', String(error)),
      };
    }
  }
  return { directory, divergence: null };
}

interface Wrong {
  readonly what: string;
  readonly expected: unknown;
  readonly got: unknown;
}

/** What the machines have asked for and the log has not shown yet, each machine's in its order. */
class Asked {
  private readonly waiting = new Map<string, Command[]>();
  /** Requests to XenStore that are on a guest's ring: the log shows them again when xenstored takes them. */
  private readonly onRing = new Map<string, Command[]>();

  /** From a checkpoint on: what guests' actors had asked for and no slice had performed, and what was on its way to xenstored. */
  resume(log: Log, checkpoint: Checkpoint): void {
    for (const { inbox } of (checkpoint.guests as PrivatesSnapshot).guests.values())
      for (const { origin, command } of inbox) this.add(origin, command);
    for (const { issuer, command } of requestsUnderWay(log, checkpoint)) push(this.onRing, issuer, command);
  }
  add(id: string, command: Command): void {
    push(this.waiting, id, command);
  }

  compare(step: Step, directory: Directory): Wrong | undefined {
    const { command, origin } = step;
    if (command.type === 'xenbus.note_sent') return this.sent(command.issuer, command.request);
    const list = isBehindRing(step) ? this.onRing : this.waiting;
    // An actor that has ended may still have had something to ask; whoever never was one is an executor or an input.
    if (!directory.hasParty(origin) && !list.has(origin)) return undefined;
    const got = list.get(origin)?.shift();
    if (got && same(got, command)) return undefined;
    return { what: `the actor ${origin} asks otherwise`, expected: command, got };
  }

  private sent(issuer: string, request: string): Wrong | undefined {
    const got = this.waiting.get(issuer)?.shift();
    if (got?.type !== request) return { what: `the actor ${issuer} asks otherwise`, expected: request, got };
    push(this.onRing, issuer, got);
    return undefined;
  }
}

function push(lists: Map<string, Command[]>, id: string, command: Command): void {
  const list = lists.get(id);
  if (list) list.push(command);
  else lists.set(id, [command]);
}
