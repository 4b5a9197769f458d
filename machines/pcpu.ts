import { setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

/** A mirror: whether a physical CPU runs somebody. It is made when it first does. */
export const pcpu = setup({
  types: {
    input: {} as { cpu: number },
    context: {} as { cpu: number },
    events: {} as FactOf<'vcpu.scheduled' | 'vcpu.blocked' | 'vcpu.preempted' | 'vcpu.paused'>,
  },
}).createMachine({
  id: 'pcpu',
  context: ({ input }) => input,
  initial: 'idle',
  states: {
    idle: { on: { 'vcpu.scheduled': 'running' } },
    running: { on: { 'vcpu.blocked': 'idle', 'vcpu.preempted': 'idle', 'vcpu.paused': 'idle' } },
  },
});
