// The hypervisor under any hypercalls, right and wrong: what always holds, and that its log is all there is to know of it.
// FC_REPLAY='{"seed":...,"path":"..."}' finds a reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { VIRQ } from '../../src/abi/virq.ts';
import { type CoreCommand, Xen } from '../../src/core/index.ts';
import { Journal } from '../../src/tables/journal.ts';
import { anyCoreCommand, bootedHost, type CoreHost, coreRuns, fold, smallMachine, verify } from '../../tools/fuzz/index.ts';

const reported = JSON.parse(process.env['FC_REPLAY'] ?? '{}') as { seed?: number; path?: string };
// Only the run, which is the first number of the path: it shrinks as it did. The steps of a swarm's shrinking can not be replayed singly.
const replay = reported.path === undefined ? reported : { ...reported, path: reported.path.split(':')[0]! };
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 150);

/** Channels between dom0 and both guests, timers that they hear, and a page of each that dom0 has mapped. */
function linkedHost(): CoreHost {
  const host = bootedHost();
  for (const command of [
    ...[1, 2].flatMap((domid): CoreCommand[] => [
      { type: 'evtchn.bind_virq', domid, virq: VIRQ.TIMER, vcpu: 0 },
      { type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: 0 },
      { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: domid, remote_port: 2 },
      { type: 'gnttab.seed', domid: 0, dom: domid, ref: 0, gfn: 1, backend: 0 },
      { type: 'gnttab.map_grant_ref', domid: 0, dom: domid, ref: 0, readonly: false },
    ]),
    { type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.DOM_EXC, vcpu: 0 },
  ] satisfies CoreCommand[])
    host.submit(command);
  return host;
}
const emptyXen = (): Xen => new Xen(new Journal(), smallMachine);

test('invariants hold after any hypercalls; the log folds and verifies; one mark undoes all of it', () => {
  fc.assert(
    fc.property(coreRuns, (acts) => {
      const host = linkedHost();
      const before = { xen: host.xen.digest(), memory: host.memory.digest() };
      const start = emptyXen();
      start.restore(host.xen.snapshot());
      const mark = host.journal.mark();

      fc.modelRun(() => ({ model: {}, real: host }), acts);

      const folded = fold(emptyXen(), host.steps);
      expect([...folded.diff(host.xen)]).toEqual([]);
      expect(folded.digest()).toBe(host.xen.digest());
      expect(verify(emptyXen(), host.steps)).toBeNull();

      const copy = emptyXen();
      copy.restore(host.xen.snapshot());
      expect(copy.digest()).toBe(host.xen.digest());

      host.journal.rollback(mark);
      expect([...start.diff(host.xen)]).toEqual([]);
      expect({ xen: host.xen.digest(), memory: host.memory.digest() }).toEqual(before);
    }),
    { numRuns, ...replay },
  );
}, 180_000);

test('a run goes on from a snapshot, or after an undone part, as if nothing had been', () => {
  fc.assert(
    fc.property(
      fc.array(anyCoreCommand, { maxLength: 20, size: 'max' }),
      fc.array(anyCoreCommand, { maxLength: 20, size: 'max' }),
      fc.array(anyCoreCommand, { maxLength: 20, size: 'max' }),
      (first, undone, second) => {
        const straight = linkedHost();
        const detour = linkedHost();
        for (const command of first) {
          straight.submit(command);
          detour.submit(command);
        }
        const mark = detour.journal.mark();
        const steps = detour.steps.length;
        for (const command of undone) detour.submit(command);
        detour.journal.rollback(mark);
        detour.steps.length = steps;
        const restored = linkedHost();
        restored.xen.restore(detour.xen.snapshot());
        restored.memory.restore(detour.memory.snapshot());
        restored.steps.splice(0, Number.POSITIVE_INFINITY, ...detour.steps);
        for (const command of second) {
          const outcome = straight.submit(command);
          expect(detour.submit(command)).toEqual(outcome);
          expect(restored.submit(command)).toEqual(outcome);
        }
        expect([...detour.xen.diff(straight.xen)]).toEqual([]);
        expect(detour.xen.digest()).toBe(straight.xen.digest());
        expect(restored.xen.digest()).toBe(straight.xen.digest());
        expect(restored.memory.digest()).toBe(straight.memory.digest());
      },
    ),
    { numRuns: Math.ceil(numRuns / 5) },
  );
});
