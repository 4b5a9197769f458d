// The facts of single schedulers: weights and caps, credit's credits, rtds's budgets, arinc653's schedule, null's pCPUs.
import type { DomId } from '../../../events/units.ts';
import type { SchedFact } from '../../../events/vocabulary.ts';
import { parseHandle } from '../handle.ts';
import type { Xen } from '../xen.ts';
import { DEFAULT_WEIGHT } from './credit2-arithmetic.ts';
import { whileOut } from './queues.ts';
import { DEFAULT_BUDGET, DEFAULT_PERIOD } from './rtds-arithmetic.ts';
import { vcpuId } from './state.ts';

type DomainFacts = Extract<
  SchedFact,
  {
    type:
      | `domain.${string}`
      | `credit2.${string}`
      | `credit.${string}`
      | `rtds.${string}`
      | `arinc653.${string}`
      | `null.${string}`
      | 'sched.params_set';
  }
>;

export function evolveDomain(xen: Xen, event: DomainFacts): void {
  const { sched } = xen;
  switch (event.type) {
    case 'domain.weight_set':
      weigh(xen, event.domid, event.weight);
      return;
    case 'domain.cap_set':
      xen.domain.of(0)!.cap.put(event.domid, event.cap);
      return;
    case 'credit2.budget_set':
      xen.domain.of(0)!.budget.put(event.domid, event.budget);
      xen.domain.of(0)!.next_repl_ns.put(event.domid, event.next_repl_ns);
      return;
    case 'credit2.budget_taken':
      xen.domain.of(0)!.budget.add(event.domid, -event.taken);
      xen.domain.of(0)!.next_repl_ns.put(event.domid, event.next_repl_ns);
      return;
    case 'credit2.vcpu_budget_set':
      sched.vcpu.of(event.domid)!.budget.put(event.vcpu, event.budget);
      return;
    case 'sched.params_set': {
      const pools = sched.pools.of(0)!;
      pools.tslice_plus_1.put(event.pool, event.tslice_ms + 1);
      pools.ratelimit_plus_1.put(event.pool, event.ratelimit_us + 1);
      pools.migration_delay_us.put(event.pool, event.migration_delay_us);
      return;
    }
    case 'credit.vcpu_set': {
      const { domid, vcpu } = event;
      const rows = sched.credits.of(domid) ?? sched.credits.add(domid);
      rows.credit.put(vcpu, event.credit);
      rows.active.put(vcpu, event.active);
      rows.last_ns.put(vcpu, event.last_ns);
      if (sched.vcpu.of(domid)!.rank.at(vcpu) !== event.priority)
        whileOut(xen, domid, vcpu, () => {
          sched.vcpu.of(domid)!.rank.put(vcpu, event.priority);
        });
      return;
    }
    case 'credit.accounted':
      sched.pools.of(0)!.balance.put(event.pool, event.balance);
      return;
    case 'rtds.params_set': {
      const rows = sched.rtds.of(event.domid) ?? sched.rtds.add(event.domid);
      rows.period_ns.put(event.vcpu, event.period_ns - DEFAULT_PERIOD);
      rows.budget_ns.put(event.vcpu, event.budget_ns - DEFAULT_BUDGET);
      rows.strict.put(event.vcpu, event.extratime === 1 ? 0 : 1);
      return;
    }
    case 'rtds.vcpu_set': {
      const { domid, vcpu } = event;
      const rows = sched.rtds.of(domid) ?? sched.rtds.add(domid);
      rows.left.put(vcpu, event.budget_ns);
      whileOut(xen, domid, vcpu, () => {
        sched.vcpu.of(domid)!.rank.put(vcpu, event.level);
        sched.vcpu.of(domid)!.deadline_ns.put(vcpu, event.deadline_ns);
      });
      return;
    }
    case 'arinc653.schedule_set': {
      const pools = sched.pools.of(0)!;
      pools.major_frame.put(event.pool, event.major_frame);
      pools.frame_start.put(event.pool, event.at_ns);
      pools.entries.put(event.pool, event.runtimes.length);
      sched.frames.remove(event.pool);
      const rows = sched.frames.add(event.pool);
      event.runtimes.forEach((runtime, i) => {
        const [a, b, c, d] = parseHandle(event.dom_handles[i] ?? '') ?? [0, 0, 0, 0];
        rows.runtime.put(i, runtime);
        rows.a.put(i, a);
        rows.b.put(i, b);
        rows.c.put(i, c);
        rows.d.put(i, d);
        rows.vcpu.put(i, event.vcpu_ids[i] ?? 0);
      });
      findUnits(xen, event.pool);
      return;
    }
    case 'null.assigned': {
      const { domid, vcpu, cpu } = event;
      const id = vcpuId(domid, vcpu);
      const rows = sched.vcpu.of(domid)!;
      sched.waitq.remove(id);
      if (cpu < 0) {
        rows.waits_since.put(vcpu, event.since + 1);
        sched.waitq.push(id);
        return;
      }
      rows.waits_since.put(vcpu, 0);
      sched.pcpu.of(0)!.unit.put(cpu, id + 1);
      whileOut(xen, domid, vcpu, () => {
        rows.cpu.put(vcpu, cpu);
      });
      return;
    }
    case 'null.unassigned': {
      const { domid, vcpu } = event;
      const id = vcpuId(domid, vcpu);
      sched.waitq.remove(id);
      sched.vcpu.of(domid)!.waits_since.put(vcpu, 0);
      const { unit } = sched.pcpu.of(0)!;
      for (let cpu = 0; cpu < sched.nrCpus; cpu++) if (unit.at(cpu) === id + 1) unit.put(cpu, 0);
      return;
    }
    default:
      event satisfies never;
  }
}

/** A domain's weight, and what is the highest of its pool. A domain that logs from before made is not counted there. */
export function weigh(xen: Xen, domid: DomId, weight: number): void {
  const rows = xen.domain.of(0)!;
  const isCounted = rows.cpupool_plus_1.at(domid) > 0;
  if (isCounted && rows.weight.at(domid) > 0) countWeight(xen, xen.poolOf(domid), rows.weight.at(domid), -1);
  rows.weight.put(domid, weight);
  if (isCounted && weight > 0) countWeight(xen, xen.poolOf(domid), weight, 1);
}
function countWeight({ sched }: Xen, pool: number, weight: number, by: number): void {
  const { domains } = sched.weights.of(pool) ?? sched.weights.add(pool);
  const { max_weight } = sched.pools.of(0)!;
  domains.add(weight, by);
  if (weight > max_weight.at(pool)) {
    max_weight.put(pool, weight);
    return;
  }
  let max = max_weight.at(pool);
  while (max > 0 && domains.at(max) === 0) max--;
  max_weight.put(pool, max);
}

/** A domain leaves a pool for another, or for good (-1): with the weight, cap and parameters of a new one. */
export function changePool(xen: Xen, domid: DomId, pool: number): void {
  const { sched } = xen;
  const rows = xen.domain.of(0)!;
  const before = rows.cpupool_plus_1.at(domid) - 1;
  const { n_dom } = sched.pools.of(0)!;
  weigh(xen, domid, 0);
  if (before > 0) n_dom.add(before, -1);
  rows.cpupool_plus_1.put(domid, pool + 1);
  if (pool > 0) n_dom.add(pool, 1);
  for (const cell of [rows.cap, rows.budget, rows.next_repl_ns]) cell.put(domid, 0);
  for (const table of [sched.credits, sched.rtds]) (table as { remove(owner: number): void }).remove(domid);
  if (pool >= 0) weigh(xen, domid, DEFAULT_WEIGHT);
  for (const place of [before, pool]) if (place >= 0) findUnits(xen, place);
}

/** Which vCPU each entry of a pool's schedule means (update_schedule_units()). */
export function findUnits(xen: Xen, pool: number): void {
  const { sched } = xen;
  const entries = sched.pools.of(0)!.entries.at(pool);
  if (entries === 0) return;
  const frames = sched.frames.of(pool)!;
  const { a, b, c, d } = xen.domains.handles.of(0)!;
  for (let i = 0; i < entries; i++) {
    let unit = 0;
    for (const domid of xen.domids()) {
      const isIt =
        a.at(domid) === frames.a.at(i) &&
        b.at(domid) === frames.b.at(i) &&
        c.at(domid) === frames.c.at(i) &&
        d.at(domid) === frames.d.at(i);
      // The one that was made last, where several have the handle.
      if (isIt && xen.poolOf(domid) === pool && xen.hasVcpu(domid, frames.vcpu.at(i)))
        unit = vcpuId(domid, frames.vcpu.at(i)) + 1;
    }
    frames.unit.put(i, unit);
  }
}
