import { pausesOf } from '../domain/evolve.ts';
import type { Invariant } from '../invariants.ts';
import { homes } from './queues.ts';
import { domidOf, vcpuId, vcpuOf } from './state.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'sched.runqueueHoldsTheRunnable'(xen) {
    const { vcpu: vcpus, shared, pinned, away } = xen.sched;
    const heaps = [...shared, ...pinned, ...away];
    for (const heap of heaps) yield* heap.flaws();
    for (const domid of vcpus.ids())
      for (const [vcpu, { runstate }] of vcpus.inUse(domid)) {
        const id = vcpuId(domid, vcpu);
        const wanted = runstate === 'runnable' ? homes(xen, id) : [];
        if (runstate === 'runnable' && wanted.length === 0) yield `d${domid}v${vcpu} is runnable, and no pCPU can take it`;
        for (const heap of heaps)
          if (wanted.includes(heap) !== heap.has(id))
            yield `d${domid}v${vcpu} is ${runstate} and ${heap.has(id) ? '' : 'not '}in ${heap.items.name}`;
      }
    for (const heap of heaps)
      for (const id of heap)
        if (!xen.hasVcpu(domidOf(id), vcpuOf(id)))
          yield `${heap.items.name} holds d${domidOf(id)}v${vcpuOf(id)}, which does not exist`;
  },

  *'sched.runningHasItsPcpu'(xen) {
    const { vcpu: vcpus, pcpu } = xen.sched;
    for (const domid of vcpus.ids())
      for (const [vcpu, { runstate, detached, cpu }] of vcpus.inUse(domid)) {
        if (runstate !== 'running' || detached === 1) continue;
        const its = pcpu.row(0, cpu);
        if (its.state !== 'running' || its.domid !== domid || its.vcpu !== vcpu)
          yield `d${domid}v${vcpu} runs on pCPU ${cpu}, which is ${its.state} with d${its.domid}v${its.vcpu}`;
      }
    for (const [cpu, { state, domid, vcpu }] of pcpu.inUse(0)) {
      if (state !== 'running') continue;
      const its = vcpus.of(domid) && vcpus.row(domid, vcpu);
      if (its?.runstate !== 'running' || its.cpu !== cpu || its.detached === 1)
        yield `pCPU ${cpu} runs d${domid}v${vcpu}, which is ${its?.runstate ?? 'not there'} on pCPU ${its?.cpu ?? -1}`;
    }
  },

  *'sched.flagsExplainTheRunstate'(xen) {
    const { vcpu: vcpus } = xen.sched;
    for (const domid of vcpus.ids())
      for (const [vcpu, { runstate, up, blocked, pauses, detached, parked }] of vcpus.inUse(domid)) {
        const canRun = up === 1 && blocked === 0 && pauses === 0 && parked === 0;
        const fits = canRun
          ? runstate === 'running' || (runstate === 'runnable' && detached === 0)
          : runstate === (blocked === 1 ? 'blocked' : 'offline');
        if (!fits)
          yield `d${domid}v${vcpu} is ${runstate} with up ${up}, blocked ${blocked}, pauses ${pauses}, detached ${detached}`;
      }
  },

  *'sched.onlyTheBlockedPoll'({ sched: { polls, vcpu: vcpus } }) {
    for (const domid of polls.ids())
      for (const [vcpu] of polls.inUse(domid))
        if (vcpus.of(domid)?.blocked.at(vcpu) !== 1) yield `d${domid}v${vcpu} polls, and is not blocked`;
  },

  *'sched.pausesAreTheDomains'(xen) {
    const { vcpu: vcpus } = xen.sched;
    for (const domid of vcpus.ids())
      for (const [vcpu, { pauses }] of vcpus.inUse(domid))
        if (pauses !== pausesOf(xen, domid) + (xen.control.pausesOf(domid, vcpu) > 0 ? 1 : 0))
          yield `d${domid}v${vcpu} has ${pauses} pauses, its domain ${pausesOf(xen, domid)} and it ${xen.control.pausesOf(domid, vcpu)}`;
  },
};
