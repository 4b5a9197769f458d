// The fourth replay: the whole host again, from the inputs alone. Is the run deterministic? What was in memory?
import type { Digest } from '../events/block.ts';
import type { Log } from '../events/log.ts';
import type { Step } from '../events/vocabulary.ts';
import { type Checkpoint, Dispatcher, type DispatcherOptions } from '../machines/system/dispatcher.ts';
import { endOf, PAUSE_EVERY } from '../machines/system/recording.ts';
import type { HostConfig } from '../src/host-config.ts';
import type { Image } from '../src/storage/image.ts';
import { type Divergence, same } from './divergence.ts';
import { loggedImages } from './images.ts';
import { startOf } from './start.ts';
import { columnsSince, type DigestPart, equalDigests } from './state-changes.ts';
import { differs } from './verify.ts';

export interface ReenactOptions extends Partial<Pick<DispatcherOptions, 'machines' | 'deciding' | 'images'>> {
  /** Images that the log does not carry, by the digests in its header. */
  readonly found?: ReadonlyMap<string, Image>;
  /** Start here instead of at the beginning. */
  readonly from?: Checkpoint;
  /** Stop at the first quiet moment at which this step has been taken, or would be the next. */
  readonly until?: number;
  readonly onStep?: (step: Step) => void;
  /** Called at every quiet moment before an input, a slice or a timer. */
  readonly onQuiet?: (dispatcher: Dispatcher) => void;
}
export interface Reenacted {
  readonly dispatcher: Dispatcher;
  readonly divergence: Divergence | null;
}

/** Admits an input when its own number comes, compares every step with the log, and at the end the state with the one the log closes with. */
export function reenact(log: Log, options: ReenactOptions = {}): Reenacted {
  const { from = startOf(log), until = log.length, onStep, onQuiet } = options;
  let divergence: Divergence | null = null;
  /** Whoever has the host afterwards goes another way. */
  let done = false;
  const expected = log.steps(from?.seq ?? 0);
  const inputAt = inputsOf(log, from?.seq ?? 0);
  const digests = log.digests(from?.seq ?? 0);
  const dispatcher = new Dispatcher({
    config: log.header.host as HostConfig,
    seed: log.header.seed,
    images: options.images ?? loggedImages(log, options.found),
    ...(options.machines && { machines: options.machines }),
    ...(options.deciding && { deciding: options.deciding }),
    onStep: (step) => {
      onStep?.(step);
      if (divergence || done) return;
      const { value: logged } = expected.next();
      // A log may stop in the middle of what followed from an input: beyond its end there is nothing to compare.
      if (!logged || same(step, logged)) return;
      const [what, part] = differenceOf(step, logged);
      divergence = differs(log, logged, what, part(logged), part(step));
    },
    // So that whoever goes on from here knows when the next is due.
    pause: { every: PAUSE_EVERY, at: () => {} },
  });
  if (from) dispatcher.restore(from);

  let digest = digests.next().value;
  while (dispatcher.seq < until && !divergence) {
    for (; digest && digest.seq <= dispatcher.seq; digest = digests.next().value)
      if (digest.seq === dispatcher.seq) divergence = differsFrom(digest, dispatcher, log.stateVersionAt(digest.seq));
    if (divergence) break;
    onQuiet?.(dispatcher);
    const input = inputAt(dispatcher.seq);
    if (input) {
      dispatcher.now = input.time;
      dispatcher.input(input.command, input.origin);
    } else if (!dispatcher.advance(Number.MAX_SAFE_INTEGER)) break;
  }
  if (!divergence && dispatcher.seq < Math.min(until, log.length)) {
    const [missing] = [...take(log.steps(dispatcher.seq), 1)];
    if (missing) divergence = differs(log, missing, 'nothing happens any more', missing, undefined);
  }
  if (!divergence && log.end && dispatcher.seq === log.length && until >= log.length) {
    const version = log.stateVersionAt(log.length);
    const end = endOf(dispatcher, columnsSince(version));
    const { end: logged } = log;
    if (equalDigests(version).some((part) => isOfEnd(part) && end[part] !== logged[part]))
      divergence = { seq: log.length, what: 'the state at the end differs', expected: log.end, got: end, causes: [] };
  }
  done = true;
  return { dispatcher, divergence };
}

/** A log ends with the digests of two parts. */
export const isOfEnd = (part: DigestPart): part is 'state' | 'memory' => part === 'state' || part === 'memory';

/** Which digests of a host (`columnsSince` apart) are not those that a log has, of those that mean the same in its version. */
export const differingParts = (got: Digest, logged: Partial<Digest>, version: number): readonly DigestPart[] =>
  equalDigests(version).filter((part) => logged[part] !== undefined && got[part] !== logged[part]);

/** A host whose digests are not those that the log has for this moment: no step has shown it. */
function differsFrom(logged: Digest, dispatcher: Dispatcher, version: number): Divergence | null {
  const got = dispatcher.digest(columnsSince(version));
  const parts = differingParts(got, logged, version);
  if (parts.length === 0) return null;
  return { seq: logged.seq, what: `before it, ${parts.join(' and ')} differ`, expected: logged, got, causes: [] };
}

/** What differs first, in words, and that part of a step. */
function differenceOf(step: Step, logged: Step): [string, (one: Step) => unknown] {
  if (step.origin !== logged.origin || !same(step.command, logged.command))
    return ['something else is asked', ({ origin, command }) => ({ origin, command })];
  if (step.time !== logged.time) return ['it happens at another time', ({ time }) => time];
  if (step.cause !== logged.cause) return ['it has another cause', ({ cause }) => cause];
  if (!same(step.reads, logged.reads)) return ['guest memory differs where it is read', ({ reads }) => reads];
  return ['decided otherwise', ({ outcome }) => outcome];
}

/** The input that a step is, asked for with rising numbers: never looks further ahead, for the next input may be millions of steps away. */
function inputsOf(log: Log, from: number): (seq: number) => Step | undefined {
  const steps = log.steps(from);
  let step = steps.next().value as Step | undefined;
  return (seq) => {
    while (step && step.seq < seq) step = steps.next().value as Step | undefined;
    return step?.seq === seq && step.cause === null ? step : undefined;
  };
}
function* take<T>(items: Iterable<T>, count: number): Generator<T> {
  let left = count;
  for (const item of items) {
    if (left-- <= 0) return;
    yield item;
  }
}
