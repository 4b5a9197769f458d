import { expect, test } from 'vitest';
import type { SchedFact, VcpuFact } from '../../../events/vocabulary.ts';
import { Journal } from '../../tables/journal.ts';
import { type CoreFact, evolve, Xen } from '../index.ts';

// pCPUs do not come equally far: a slice that began earlier may end later than the next one begins, and wake somebody in its own past.
test('a vCPU that is woken by a pCPU behind its own does not go back in time', () => {
  const xen = new Xen(new Journal(), { nrCpus: 2, totalPages: 0x4000 });
  const apply = (event: CoreFact | SchedFact | VcpuFact): void => evolve(xen, event as CoreFact, 1);
  const limits = { max_vcpus: 1, max_evtchn_port: 10, max_grant_frames: 1, max_maptrack_frames: 1 };
  const handle = '00000000-0000-0000-0000-000000000000';
  apply({ type: 'domain.created', domid: 1, ssidref: 0, handle, ...limits, hvm: false, shared_info_mfn: 0x2000, pool: 0 });
  apply({ type: 'domain.vcpus_allocated', domid: 1, count: 1, at_ns: 0 });
  const at = { domid: 1, vcpu: 0 };
  apply({ type: 'vcpu.initialised', ...at });
  apply({ type: 'vcpu.brought_up', ...at, at_ns: 0 });
  apply({ type: 'vcpu.unpaused', ...at, at_ns: 0 });
  apply({ type: 'vcpu.scheduled', ...at, cpu: 0, at_ns: 0, until_ns: 20, credit: 0 });
  apply({ type: 'vcpu.blocked', ...at, at_ns: 10, credit: 0, ran_ns: 10 });
  apply({ type: 'vcpu.woken', ...at, at_ns: 3 });
  const vcpu = xen.sched.vcpu.row(1, 0);
  expect(vcpu).toMatchObject({ runstate: 'runnable', entry_ns: 10, time_running: 10, time_blocked: 0 });
});
