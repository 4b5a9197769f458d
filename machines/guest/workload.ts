import { assign, emit, setup } from 'xstate';
import { MS } from '../../events/units.ts';
import type { Command, FactOf } from '../../events/vocabulary.ts';

/** What a workload does again and again, and how long it then rests. */
interface Workload {
  readonly domid: number;
  readonly id: string;
  readonly kind: FactOf<'guest.work_started'>['kind'];
  readonly args: readonly string[];
  readonly rest: string;
  readonly round: number;
}

/**
 * A declared workload of a guest (a party): `cpu PERCENT` computes that share of each 100 ms, `disk SECTORS MILLISECONDS` reads the first
 * sectors of its disk and rests, `ping IP MILLISECONDS` pings and rests.
 */
export const workload = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Workload,
    events: {} as FactOf<'guest.work_finished'>,
    emitted: {} as Command,
  },
  actions: {
    work: emit(({ context: c }) => ({
      type: 'guest.start_work',
      domid: c.domid,
      issuer: c.id,
      kind: c.kind,
      args: c.kind === 'ping' ? [...c.args, String(c.round & 0xffff)] : c.args,
    })),
    rest: emit(({ context: c }) => ({ type: 'guest.start_work', domid: c.domid, issuer: c.id, kind: 'sleep', args: [c.rest] })),
    countRound: assign(({ context }) => ({ round: context.round + 1 })),
  },
}).createMachine({
  id: 'workload',
  context: ({ input }) => ({ domid: input.domid, id: `d${input.domid}.${input.name}`, round: 1, ...chosen(input) }),
  initial: 'working',
  states: {
    working: { entry: 'work', on: { 'guest.work_finished': { target: 'resting', actions: 'countRound' } } },
    resting: { entry: 'rest', on: { 'guest.work_finished': 'working' } },
  },
});

function chosen({ domid, args }: { domid: number; args: readonly string[] }): Pick<Workload, 'kind' | 'args' | 'rest'> {
  const [program = 'cpu', disk = '-1', first = '', second = ''] = args;
  const number = (text: string, otherwise: number): number => (/^\d{1,9}$/.test(text) ? Number(text) : otherwise);
  switch (program) {
    case 'disk':
      return { kind: 'read_disk', args: [disk, '0', String(number(first, 256))], rest: String(number(second, 100) * MS) };
    case 'ping':
      return { kind: 'ping', args: [first, String(domid)], rest: String(number(second, 1000) * MS) };
    default: {
      const percent = Math.min(100, Math.max(1, number(first, 50)));
      return { kind: 'compute', args: [String(percent * MS)], rest: String((100 - percent) * MS) };
    }
  }
}
