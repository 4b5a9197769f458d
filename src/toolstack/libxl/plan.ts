// A plan: what a job of the toolstack does, as data. Its phases are the states of the actor that carries it out.
import type { Errno } from '../../../events/errno.ts';
import type { AnswerOf, Command, CommandType, FactOf } from '../../../events/vocabulary.ts';

/**
 * Phases by name; a job begins with the first. Each either learns from the returns of what it asked, or waits until it hears a
 * fact. `P` is what the job knows so far: plain JSON, for checkpoints hold it.
 */
export type Plan<P> = Readonly<Record<string, Phase<P>>>;
export type Phase<P> = Learning<P> | Hearing<P>;

interface Asking<P> {
  /** All that it asks at once; the returns come in the order of asking. */
  ask?(p: P): readonly Command[];
  /** The phases that may follow; `END` among them ends the job. */
  readonly to: readonly string[];
}
export interface Learning<P> extends Asking<P> {
  /** What follows from the returns, when the last has come. */
  learn(p: P, returns: readonly Return[]): Next<P>;
}
export interface Hearing<P> extends Asking<P> {
  /** What follows from a fact, or undefined where it is not the one waited for: it is kept for the phases to come. */
  hear(p: P, fact: Heard): Next<P> | undefined;
}

/** The next phase, and what is known when it begins. A phase may follow itself. */
export interface Next<P> {
  readonly to: string;
  readonly p: P;
}
export const END = 'end';

/** The return of a command, as its issuer is told. */
export interface Return {
  readonly type: string;
  readonly errno?: Errno;
}
/** The facts that a job is told besides the returns of its own commands. */
export type Heard = FactOf<'xenstore.watch_fired' | 'hotplug.finished' | 'bootloader.finished'>;

/** What a command answered, or undefined where it was refused. */
export const answer = <K extends CommandType>(given: Return | undefined, type: K): AnswerOf<K> | undefined =>
  given?.type === `accepted.${type}` ? (given as unknown as AnswerOf<K>) : undefined;

/** The errno of the first refusal but for those that do not matter, with the name of what was refused. */
export function refusal(returns: readonly Return[], ...unless: readonly Errno[]): { what: string; errno: Errno } | undefined {
  const refused = returns.find(({ errno }) => errno !== undefined && !unless.includes(errno));
  return refused && { what: refused.type.slice('refused.'.length), errno: refused.errno! };
}
