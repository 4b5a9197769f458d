// A scheduler's choice among few vCPUs and among many, half of them bound to a pCPU each.

import { eventsOf } from '../events/step.ts';
import { XEN_VCPUAFFINITY } from '../src/abi/scheduler.ts';
import { type CoreCommand, type CoreFact, decide, evolve, Xen } from '../src/core/index.ts';
import { Memory } from '../src/memory/memory.ts';
import { RecordingReader } from '../src/memory/reader.ts';
import { Journal } from '../src/tables/journal.ts';
import { benchDomain, XEN } from './domain.ts';

const CPUS = 4;
const VCPUS_EACH = 100;

/** A hypervisor with so many runnable vCPUs. */
export class SchedBench {
  private readonly xen: Xen;
  private readonly reader: RecordingReader;
  private seq = 0;
  private now = 0;

  constructor(vcpus: number) {
    const journal = new Journal();
    this.xen = new Xen(journal, { nrCpus: CPUS, totalPages: 1 << 18 });
    this.reader = new RecordingReader(new Memory(journal));
    for (let domid = 1; domid <= vcpus / VCPUS_EACH; domid++) {
      this.call(benchDomain(domid, VCPUS_EACH));
      this.call({ type: 'domctl.max_vcpus', domid: XEN, domain: domid, max: VCPUS_EACH });
      for (let vcpu = 0; vcpu < VCPUS_EACH; vcpu++) {
        this.call({ type: 'domctl.setvcpucontext', domid: XEN, domain: domid, vcpu });
        if (vcpu % 2 === 1)
          this.call({
            type: 'domctl.setvcpuaffinity',
            domid: XEN,
            domain: domid,
            vcpu,
            flags: XEN_VCPUAFFINITY.HARD,
            cpumap_hard: [(vcpu >> 1) % CPUS],
            cpumap_soft: [],
          });
      }
      this.call({ type: 'domctl.unpausedomain', domid: XEN, domain: domid });
    }
  }

  /** So many slices, each a choice and its end, on all pCPUs in turn. */
  run(slices: number): void {
    for (let i = 0; i < slices; i++) {
      const outcome = this.call({ type: 'sched.schedule', cpu: i % CPUS });
      if (!outcome.ok) throw new Error(`pCPU ${i % CPUS} finds nobody: ${outcome.errno}`);
      const { domid, vcpu } = outcome.value as { domid: number; vcpu: number };
      this.now += 250_000;
      this.call({ type: 'sched.preempt', domid, vcpu });
    }
  }

  private call(command: CoreCommand): ReturnType<typeof decide> {
    const outcome = decide(this.xen, command, this.now, this.reader);
    this.reader.take();
    const seq = this.seq++;
    for (const event of eventsOf(outcome) as readonly CoreFact[]) evolve(this.xen, event, seq);
    return outcome;
  }
}
