// Judges the hypervisor by a recording of hypercalls of real Xen: the same calls from the same start, and what differs.
import type { CoreHost } from '../fuzz/core-host.ts';
import { type Answer, type Caller, callerOf, perform, portStatus, type Upcalls } from './hypercall-calls.ts';
import type { CallRecord, HeaderRecord, PortRecord, Sequence } from './hypercall-record.ts';
import { startOf } from './hypercall-start.ts';

export interface Mismatch {
  readonly mix: string;
  readonly seed: number;
  /** The call's number, or null for the port tables at the end. */
  readonly seq: number | null;
  readonly op: string;
  readonly args: unknown;
  readonly expected: unknown;
  /** Null where the call is not known. */
  readonly got: unknown;
}
export interface Tally {
  readonly matched: number;
  readonly total: number;
}
export interface Verdict extends Tally {
  readonly byOp: ReadonlyMap<string, Tally>;
  readonly mismatches: readonly Mismatch[];
  /** How many answers told that dom0's other vCPU had taken its events (see `Upcalls`). */
  readonly told: number;
}

/** What goes on from one sequence to the next. */
interface Course {
  readonly upcalls: Upcalls;
  /** The ports of dom0 that the program has unmasked: their words outlive a sequence, and nobody masks them again. */
  readonly unmasked: Set<number>;
  told: number;
}

/** Plays the sequences. A final port table counts as one answer for each domain. */
export function judge(sequences: Iterable<Sequence>, upcalls: Upcalls = 'as-told'): Verdict {
  const byOp = new Map<string, { matched: number; total: number }>();
  const mismatches: Mismatch[] = [];
  const course: Course = { upcalls, unmasked: new Set(), told: 0 };
  for (const sequence of sequences) {
    for (const { mismatch, op } of play(sequence, course)) {
      const tally = byOp.get(op) ?? { matched: 0, total: 0 };
      byOp.set(op, tally);
      tally.total++;
      if (mismatch === undefined) tally.matched++;
      else mismatches.push(mismatch);
    }
    for (const { op, args, rc } of sequence.calls)
      if (op === 'evtchn.unmask' && rc === 0) course.unmasked.add(args['port'] as number);
  }
  const sum = (of: (tally: Tally) => number): number => [...byOp.values()].reduce((all, tally) => all + of(tally), 0);
  return { matched: sum(({ matched }) => matched), total: sum(({ total }) => total), byOp, mismatches, told: course.told };
}

function* play(
  { mix, header, calls, final }: Sequence,
  course: Course,
): Generator<{ op: string; mismatch: Mismatch | undefined }> {
  const { seed } = header;
  const host = start(header, course.unmasked);
  if (typeof host === 'string') {
    const args = { A: header.A, B: header.B };
    yield { op: START, mismatch: { mix, seed, seq: null, op: START, args, expected: 'a start state', got: host } };
    return;
  }
  const caller = callerOf(host, [header.A, header.B], course.upcalls);
  for (const call of calls) {
    const { seq, op, args } = call;
    const got = perform(caller, call);
    const expected = expectedOf(call);
    const mismatch = got && same(got, expected) ? undefined : { mix, seed, seq, op, args, expected, got: got ?? null };
    yield { op, mismatch };
  }
  course.told += caller.told;
  if (final === undefined) return;
  for (const [domid, expected] of [
    [0, final.dom0_ports],
    [header.A.domid, final.A_ports],
    [header.B.domid, final.B_ports],
  ] as const) {
    const got = portsOf(caller, domid);
    const args = { domid };
    const mismatch = same(got, expected) ? undefined : { mix, seed, seq: null, op: FINAL, args, expected, got };
    yield { op: FINAL, mismatch };
  }
}
const START = 'start';
const FINAL = 'final ports';

/** The host, or why there is none: a header can ask for what no host has. */
function start(header: HeaderRecord, unmasked: ReadonlySet<number>): CoreHost | string {
  try {
    return startOf(header, unmasked);
  } catch (error) {
    return String(error);
  }
}

/** What is compared of a recorded answer: raw handles depend on what dom0 did before. */
function expectedOf({ rc, out }: CallRecord): Answer {
  const { handle: _, ...rest } = out;
  return { rc, out: rest };
}

function portsOf({ host }: Caller, domid: number): PortRecord[] {
  const ports: PortRecord[] = [];
  for (const [port] of host.xen.evtchn.ports.inUse(domid)) {
    const outcome = host.submit({ type: 'evtchn.status', domid: 0, dom: domid, port });
    if (outcome.ok) ports.push({ port, ...portStatus(outcome.value as Record<string, unknown>) } as PortRecord);
  }
  return ports;
}

/** Whether two answers are the same, in whatever order their fields stand. */
function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}
