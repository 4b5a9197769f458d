// `xl dmesg` and `xl debug-keys` (tools/xl/xl_misc.c): Xen's console ring, and keys that make Xen write into it.
import { answer, type Plan, refusal } from '../libxl/plan.ts';
import type { Invocation } from './argv.ts';
import { failed, type Job, leaving, say } from './job.ts';

export interface DmesgJob extends Job {
  /** Whether what was read is forgotten in the ring. */
  readonly clear: boolean;
  readonly text: string;
  readonly index: number;
}
export const beginDmesg = (job: Job, { options }: Invocation): DmesgJob => ({
  ...job,
  clear: options.includes('c'),
  text: '',
  index: 0,
});

/** As much as libxl reads at a time (libxl_xen_console_read_start()). */
const CHUNK = 32768;

export const dmesgPlan: Plan<DmesgJob> = {
  reading: {
    to: ['reading', 'leaving'],
    ask: ({ clear, index }) => [{ type: 'sysctl.readconsole', domid: 0, clear, incremental: true, index, count: CHUNK }],
    learn: (p, [read]) => {
      const got = answer(read, 'sysctl.readconsole');
      if (got === undefined) return failed(p, 'Xen does not show its console');
      const next = { ...p, text: p.text + got.buffer, index: got.index };
      return got.count === CHUNK ? { to: 'reading', p: next } : { to: 'leaving', p: { ...next, prints: [say(next.text)] } };
    },
  },
  ...leaving(),
};

export interface KeysJob extends Job {
  readonly keys: string;
}
export const beginDebugKeys = (job: Job, { words }: Invocation): KeysJob => ({ ...job, keys: words[0] ?? '' });

export const debugKeysPlan: Plan<KeysJob> = {
  pressing: {
    to: ['leaving'],
    ask: ({ keys }) => [{ type: 'sysctl.debug_keys', domid: 0, keys }],
    learn: (p, returns) => (refusal(returns) ? failed(p, 'Xen takes no keys') : { to: 'leaving', p }),
  },
  ...leaving(),
};
