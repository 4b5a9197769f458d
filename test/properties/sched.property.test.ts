// Each scheduler under any operations of vCPUs, pCPUs and pools: what always holds, and that the log is all there is to know of it.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { DOMID_XEN } from '../../events/units.ts';
import { Xen } from '../../src/core/index.ts';
import { Journal } from '../../src/tables/journal.ts';
import {
  build,
  CoreHost,
  cpupoolActs,
  domainActs,
  fold,
  schedActs,
  smallMachine,
  spin,
  timerActs,
  verify,
} from '../../tools/fuzz/index.ts';

const machines = fc.record({
  scheduler: fc.constantFrom('credit2', 'credit', 'rtds', 'arinc653', 'null' as const),
  nrCpus: fc.integer({ min: 1, max: 5 }),
  credit2_runqueue: fc.constantFrom('socket', 'core', 'cpu', 'all' as const),
  threads_per_core: fc.integer({ min: 1, max: 2 }),
});
const runs = fc
  .subarray([...schedActs, ...cpupoolActs, ...domainActs, ...timerActs], { minLength: 10 })
  .chain((some) => fc.commands(some, { maxCommands: 80, size: 'max' }));
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

test('invariants hold, the log folds and verifies, one mark undoes all, and time adds up', () => {
  fc.assert(
    fc.property(machines, runs, ({ threads_per_core, ...machine }, acts) => {
      const options = { ...smallMachine, ...machine, topology: { cores_per_socket: 2, threads_per_core } };
      const emptyXen = (): Xen => new Xen(new Journal(), options);
      const host = new CoreHost(options);
      for (const command of [
        ...build(0, { vcpus: 2, pages: 2, hvm: false, caller: DOMID_XEN }),
        ...build(1, { vcpus: 1, pages: 2, hvm: false }),
        ...build(2, { vcpus: 3, pages: 2, hvm: true }),
      ])
        host.submit(command);
      const before = host.xen.digest();
      const mark = host.journal.mark();

      fc.modelRun(() => ({ model: {}, real: host }), acts);
      spin(host, 20_000_000);

      for (const domid of host.xen.domids())
        for (const [vcpu, { detached }] of host.xen.sched.vcpu.inUse(domid)) {
          const outcome = host.submit({ type: 'vcpu.get_runstate_info', domid, vcpu });
          if (!outcome.ok || detached === 1) continue;
          const { time } = outcome.value as { time: readonly number[] };
          // Since it was allocated; and what its domain's services were charged comes on top.
          const made = host.steps.findLastIndex(({ outcome: { events } }) =>
            events?.some((event) => event.type === 'domain.vcpus_allocated' && event.domid === domid),
          );
          const charged = host.steps
            .slice(made)
            .flatMap((step) => step.outcome.events ?? [])
            .reduce(
              (sum, event) =>
                event.type === 'vcpu.charged' && event.domid === domid && event.vcpu === vcpu ? sum + event.ran_ns : sum,
              0,
            );
          expect(time.reduce((sum, ns) => sum + ns, 0)).toBe(host.now - host.steps[made]!.time + charged);
        }
      const folded = fold(emptyXen(), host.steps);
      expect([...folded.diff(host.xen)]).toEqual([]);
      expect(verify(emptyXen(), host.steps)).toBeNull();
      host.journal.rollback(mark);
      expect(host.xen.digest()).toBe(before);
    }),
    { numRuns },
  );
});
