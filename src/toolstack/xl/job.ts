// What all jobs of xl have in common: a way to XenStore, what they say, and how they end.
import type { Command } from '../../../events/vocabulary.ts';
import { answer, END, type Plan } from '../libxl/plan.ts';
import { connect, disconnect, type Session } from '../libxl/store.ts';

export interface Job extends Session {
  /** What is still to be said, in its order; said at the end at the latest. */
  readonly prints: readonly Print[];
  /** What xl ends with. */
  readonly rc: number;
}
export interface Print {
  readonly stream: 'stdout' | 'stderr';
  /** Whole lines. */
  readonly text: string;
}

export const newJob = (job: number): Job => ({ job, self: `xl.${job}`, conn: 0, tx: 0, prints: [], rc: 0 });

export const say = (text: string): Print => ({ stream: 'stdout', text });
/** A mistake in one line: what, where, what to do. */
export const complain = (text: string): Print => ({ stream: 'stderr', text: `xl: ${text}\n` });

/** A job that ends with a complaint. */
export const failed = <P extends Job>(p: P, text: string, rc = 1): { to: 'leaving'; p: P } => ({
  to: 'leaving',
  p: { ...p, prints: [...p.prints, complain(text)], rc },
});

export const printing = ({ job, prints }: Job): Command[] =>
  prints.filter(({ text }) => text !== '').map(({ stream, text }) => ({ type: 'xl.print', job, stream, text }));

/** The first phase of a job that uses XenStore. */
export const connecting = <P extends Job>(then: string): Plan<P> => ({
  connecting: {
    to: [then],
    ask: () => [connect],
    learn: (p, [connected]) => ({ to: then, p: { ...p, conn: answer(connected, 'xenstore.connect')?.conn ?? 0 } }),
  },
});

/** The last phase of every job. */
export const leaving = <P extends Job>(): Plan<P> => ({
  leaving: {
    to: [END],
    ask: (p) => [...printing(p), ...(p.conn === 0 ? [] : [disconnect(p)]), { type: 'xl.exit', job: p.job, rc: p.rc }],
    learn: (p) => ({ to: END, p }),
  },
});

/** A job that has nothing to do but to say something: help, and mistakes on the command line. */
export const sayingPlan: Plan<Job> = leaving();
