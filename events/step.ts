// A step: what was asked, when, by whom and why, what was read in guest memory, and all that came of it.
import type { Errno } from './errno.ts';
import type { DomId, Mfn, Ns } from './units.ts';

/** What a call returns. Its fields are those of the operation's `returns`. */
export type Answer = object;

/** Any command or fact, before the vocabulary has given it its exact type. */
export interface AnyMessage {
  readonly type: string;
}

export interface Accepted<F = AnyMessage> {
  readonly ok: true;
  readonly value: Answer;
  readonly events: readonly F[];
}
export interface Refused<F = AnyMessage> {
  readonly ok: false;
  readonly errno: Errno;
  readonly value?: Answer;
  readonly events?: readonly F[];
}
/** A refusal may still answer something and change something: TRANSACTION_END with EAGAIN ends the transaction. */
export type OutcomeOf<F> = Accepted<F> | Refused<F>;

export interface StepOf<C, F> {
  readonly seq: number;
  readonly time: Ns;
  /** Who asked: 'd3v0', 'd0.vbd.3.51712', 'toolstack', 'timer'. */
  readonly origin: string;
  /** The step that delivered the fact acted upon; null for an input, and for nothing else. */
  readonly cause: number | null;
  /** Index of the element, where the cause asked for a list. */
  readonly batch?: number;
  readonly command: C;
  readonly reads: readonly number[];
  readonly outcome: OutcomeOf<F>;
}

const nothing: Answer = {};
const none: readonly never[] = [];

export function accept<F>(value: Answer = nothing, ...events: readonly F[]): OutcomeOf<F> {
  return { ok: true, value, events: events.length === 0 ? none : events };
}
/** The same for a list that is there already: it is not copied. */
export function acceptAll<F>(events: readonly F[], value: Answer = nothing): OutcomeOf<F> {
  return { ok: true, value, events };
}
export function refuse<F>(errno: Errno, value?: Answer, ...events: readonly F[]): OutcomeOf<F> {
  if (events.length > 0) return value === undefined ? { ok: false, errno, events } : { ok: false, errno, value, events };
  return value === undefined ? { ok: false, errno } : { ok: false, errno, value };
}
export const eventsOf = <F>(outcome: OutcomeOf<F>): readonly F[] => outcome.events ?? none;

/** How `decide` sees guest memory. Live: the bytes, noted down. When deciding again: what was noted down. */
export interface GuestReader {
  get8(mfn: Mfn, offset: number): number;
  get16(mfn: Mfn, offset: number): number;
  get32(mfn: Mfn, offset: number): number;
}

/** We are broken, as Xen's BUG(): stops the run; the log up to here is the bug report. */
export class HypervisorBug extends Error {
  override readonly name = 'HypervisorBug';
}

export type { DomId };
