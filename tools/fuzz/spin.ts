// All pCPUs at once: whoever is chosen computes until its slice is over, or it is taken off. For tests of what schedulers do in the long run.
import type { Ns } from '../../events/units.ts';
import { candidate } from '../../src/core/sched/decide.ts';
import type { CoreHost } from './core-host.ts';

/** Lets virtual time pass in which every vCPU computes; `seen` hears of each choice. */
export function spin(host: CoreHost, ns: Ns, seen: (cpu: number, domid: number, vcpu: number) => void = () => {}): void {
  const { sched } = host.xen;
  const end = host.now + ns;
  const cpus = sched.pcpu.of(0)!;
  for (;;) {
    let next: { at: Ns; act: () => void } | undefined;
    const offer = (at: Ns, act: () => void): void => {
      if (next === undefined || at < next.at) next = { at, act };
    };
    const due = sched.nextTimer();
    if (due !== undefined) offer(due.deadline_ns, () => host.submit({ type: 'sched.expire', kind: due.kind, id: due.id }));
    for (let cpu = 0; cpu < sched.nrCpus; cpu++) {
      const domid = cpus.domid.at(cpu);
      const vcpu = cpus.vcpu.at(cpu);
      if (cpus.state.is(cpu) === 'running')
        offer(sched.vcpu.of(domid)!.until_ns.at(vcpu), () => host.submit({ type: 'sched.preempt', domid, vcpu }));
      else {
        const found = candidate(host.xen, cpu, Math.max(host.now, cpus.local_ns.at(cpu)));
        if (found !== undefined)
          offer(found.at, () => {
            const outcome = host.submit({ type: 'sched.schedule', cpu });
            if (outcome.ok) seen(cpu, cpus.domid.at(cpu), cpus.vcpu.at(cpu));
          });
      }
    }
    const first = next as { at: Ns; act: () => void } | undefined;
    if (first === undefined || first.at >= end) break;
    host.now = Math.max(host.now, first.at);
    first.act();
  }
  host.now = end;
}
