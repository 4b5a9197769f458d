import { assign, setup } from 'xstate';
import type { FactOf } from '../events/vocabulary.ts';

interface VcpuContext {
  readonly domid: number;
  readonly vcpu: number;
  readonly up: boolean;
  readonly blocked: boolean;
  readonly detached: boolean;
  /** Its cap is used up. */
  readonly parked: boolean;
  /** Its domain starts paused, which is the first reason not to run. */
  readonly pauses: number;
  /** The pCPU it is on, -1 for none. */
  readonly cpu: number;
}

/** A mirror: the runstate of public/vcpu.h, with the flags that decide it. */
export const vcpu = setup({
  types: {
    input: {} as { domid: number; vcpu: number },
    context: {} as VcpuContext,
    events: {} as FactOf<
      | 'vcpu.woken'
      | 'vcpu.blocked'
      | 'vcpu.preempted'
      | 'vcpu.scheduled'
      | 'vcpu.paused'
      | 'vcpu.unpaused'
      | 'vcpu.brought_up'
      | 'vcpu.brought_down'
      | 'vcpu.detached'
      | 'vcpu.parked'
      | 'vcpu.unparked'
    >,
  },
  guards: {
    mayRun: ({ context: c }) => c.up && !c.blocked && c.pauses === 0 && !c.parked && !c.detached,
    runsAlways: ({ context: c }) => c.up && !c.blocked && c.pauses === 0 && !c.parked && c.detached,
    isBlocked: ({ context: c }) => c.blocked,
  },
  actions: {
    goUp: assign({ up: true }),
    goDown: assign({ up: false }),
    block: assign({ blocked: true }),
    wake: assign({ blocked: false }),
    detach: assign({ detached: true }),
    park: assign({ parked: true }),
    unpark: assign({ parked: false }),
    pause: assign({ pauses: ({ context }) => context.pauses + 1 }),
    unpause: assign({ pauses: ({ context }) => context.pauses - 1 }),
    leaveCpu: assign({ cpu: -1 }),
    takeCpu: assign({ cpu: ({ event, context }) => (event.type === 'vcpu.scheduled' ? event.cpu : context.cpu) }),
  },
}).createMachine({
  id: 'vcpu',
  context: ({ input }) => ({ ...input, up: false, blocked: false, detached: false, parked: false, pauses: 1, cpu: -1 }),
  initial: 'offline',
  on: {
    'vcpu.brought_up': { target: '.settling', actions: 'goUp' },
    'vcpu.brought_down': { target: '.settling', actions: ['goDown', 'leaveCpu'] },
    'vcpu.blocked': { target: '.settling', actions: ['block', 'leaveCpu'] },
    'vcpu.paused': { target: '.settling', actions: ['pause', 'leaveCpu'] },
    'vcpu.unpaused': { target: '.settling', actions: 'unpause' },
    'vcpu.woken': { target: '.settling', actions: 'wake' },
    'vcpu.parked': { target: '.settling', actions: 'park' },
    'vcpu.unparked': { target: '.settling', actions: 'unpark' },
    'vcpu.detached': { target: '.settling', actions: 'detach' },
  },
  states: {
    settling: {
      always: [
        { guard: 'runsAlways', target: 'running' },
        { guard: 'mayRun', target: 'runnable' },
        { guard: 'isBlocked', target: 'blocked' },
        { target: 'offline' },
      ],
    },
    offline: {},
    blocked: {},
    runnable: { on: { 'vcpu.scheduled': { target: 'running', actions: 'takeCpu' } } },
    running: { on: { 'vcpu.preempted': { target: 'runnable', actions: 'leaveCpu' } } },
  },
});
