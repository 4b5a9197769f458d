import { setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

/** A mirror: whether a physical CPU is there, and runs somebody. It is made when it first does, or goes. */
export const pcpu = setup({
  types: {
    input: {} as { cpu: number },
    context: {} as { cpu: number },
    events: {} as FactOf<
      'vcpu.scheduled' | 'vcpu.blocked' | 'vcpu.preempted' | 'vcpu.paused' | 'pcpu.brought_up' | 'pcpu.brought_down'
    >,
  },
}).createMachine({
  id: 'pcpu',
  context: ({ input }) => input,
  initial: 'idle',
  states: {
    idle: { on: { 'vcpu.scheduled': 'running', 'pcpu.brought_down': 'offline' } },
    running: { on: { 'vcpu.blocked': 'idle', 'vcpu.preempted': 'idle', 'vcpu.paused': 'idle' } },
    offline: { on: { 'pcpu.brought_up': 'idle' } },
  },
});
