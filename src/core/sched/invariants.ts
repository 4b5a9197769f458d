import { pausesOf } from '../domain/evolve.ts';
import type { Invariant } from '../invariants.ts';
import { MIN_CREDIT, REPLENISH_PERIOD, totalBudget } from './credit2-arithmetic.ts';
import { isInHard } from './masks.ts';
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

  *'sched.pcpuIsOfOnePool'(xen) {
    const { sched } = xen;
    for (const [cpu, { state, free, pool, runqueue }] of sched.pcpu.inUse(0)) {
      if (cpu >= sched.nrCpus) yield `pCPU ${cpu} is ${state}, and the host has ${sched.nrCpus}`;
      if (state === 'offline' && free === 0) yield `pCPU ${cpu} is offline and in the pool at ${pool}`;
      if (free === 1 && state === 'running') yield `pCPU ${cpu} is in no pool and runs somebody`;
      if (free === 0 && !sched.isPool(pool)) yield `pCPU ${cpu} is in the pool at ${pool}, which does not exist`;
      for (let other = 0; other < cpu; other++)
        if (
          free === 0 &&
          sched.isIn(other, sched.pcpu.of(0)!.pool.at(other)) &&
          sched.pcpu.of(0)!.runqueue.at(other) === runqueue
        )
          if (sched.pcpu.of(0)!.pool.at(other) !== pool)
            yield `pCPUs ${other} and ${cpu} of two pools share run queue ${runqueue}`;
    }
  },

  *'sched.poolsCountTheirDomains'(xen) {
    const { sched } = xen;
    const ids = new Set<number>();
    for (let pool = 0; pool < sched.maxPools; pool++) {
      const { n_dom, cpupool_id, max_weight } = sched.pools.row(0, pool);
      const domains = [...xen.domids()].filter((domid) => xen.poolOf(domid) === pool);
      if (!sched.isPool(pool)) {
        if (domains.length > 0 || n_dom !== 0)
          yield `there is no pool at ${pool}, and it has ${domains.length} domains, counted ${n_dom}`;
        continue;
      }
      if (ids.has(cpupool_id)) yield `two pools have the id ${cpupool_id}`;
      ids.add(cpupool_id);
      if (pool > 0 && n_dom !== domains.length) yield `pool ${cpupool_id} has ${domains.length} domains, counted ${n_dom}`;
      if (domains.some((domid) => xen.isAlive(domid)) && sched.cpusOf(pool).length === 0)
        yield `pool ${cpupool_id} has domains and no pCPU`;
      const highest = Math.max(0, ...domains.map((domid) => xen.weight(domid)));
      if (highest !== max_weight) yield `the highest weight in pool ${cpupool_id} is ${highest}, noted ${max_weight}`;
    }
  },

  *'sched.vcpuBelongsToItsPool'(xen) {
    const { sched } = xen;
    for (const domid of xen.domids()) {
      const pool = xen.poolOf(domid);
      const queues = new Set(sched.cpusOf(pool).map((cpu) => sched.pcpu.of(0)!.runqueue.at(cpu)));
      for (const [vcpu, { runstate, cpu, runqueue, detached }] of sched.vcpu.inUse(domid)) {
        const who = `d${domid}v${vcpu}`;
        if (xen.isAlive(domid) && !queues.has(runqueue)) yield `${who} belongs to run queue ${runqueue}, which is not its pool's`;
        if (runstate !== 'running' || detached === 1) continue;
        if (!sched.isIn(cpu, pool)) yield `${who} runs on pCPU ${cpu}, which is not its pool's`;
        if (!isInHard(xen, domid, vcpu, cpu)) yield `${who} runs on pCPU ${cpu}, which its affinity leaves out`;
      }
    }
  },

  *'sched.creditIsWithinBounds'(xen) {
    const { sched } = xen;
    for (const domid of xen.domids()) {
      if (sched.kindOf(xen.poolOf(domid)) !== 'credit2') continue;
      const { cap, budget } = xen.domain.row(0, domid);
      if (cap > 0 && budget > 2 * totalBudget(cap) + REPLENISH_PERIOD)
        yield `d${domid} has a budget of ${budget} under a cap of ${cap} %`;
      for (const [vcpu, row] of sched.vcpu.inUse(domid)) {
        const credit = row.credit + sched.scale.of(0)!.base.at(row.runqueue);
        if (credit < MIN_CREDIT) yield `d${domid}v${vcpu} owes ${-credit}`;
        if (row.budget !== 0 && cap === 0) yield `d${domid}v${vcpu} has a budget and its domain no cap`;
      }
    }
  },

  *'sched.timersAreInTheHeap'({ sched }) {
    yield* sched.due.flaws();
    let armed = 0;
    for (const owner of sched.timers.ids()) for (const _ of sched.timers.inUse(owner)) armed++;
    if (armed !== sched.due.size) yield `${armed} timers of schedulers are armed, and ${sched.due.size} are in the heap`;
  },

  *'sched.nullGivesAPcpuToOne'(xen) {
    const { sched } = xen;
    yield* sched.waitq.flaws();
    const owners = new Set<number>();
    for (let cpu = 0; cpu < sched.nrCpus; cpu++) {
      const id = sched.pcpu.of(0)!.unit.at(cpu) - 1;
      if (id < 0) continue;
      if (owners.has(id)) yield `d${domidOf(id)}v${vcpuOf(id)} has two pCPUs`;
      owners.add(id);
      if (!xen.hasVcpu(domidOf(id), vcpuOf(id))) yield `pCPU ${cpu} is d${domidOf(id)}v${vcpuOf(id)}'s, which does not exist`;
      if (sched.waitq.has(id)) yield `d${domidOf(id)}v${vcpuOf(id)} has pCPU ${cpu} and waits for one`;
    }
  },
};
