// A PV guest that runs on page tables of its own, and everything that touches them: dom0's mappings, grants, memory that comes and goes, its end.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Xen } from '../../src/core/index.ts';
import { Journal } from '../../src/tables/journal.ts';
import { build, domainActs } from '../../tools/fuzz/arbitraries/domain.ts';
import { gnttabActs } from '../../tools/fuzz/arbitraries/gnttab.ts';
import { memoryActs } from '../../tools/fuzz/arbitraries/memory.ts';
import { mmActs } from '../../tools/fuzz/arbitraries/mm.ts';
import { bootedHost, CoreHost, fold, smallMachine, verify } from '../../tools/fuzz/index.ts';
import { writePaeTables, writeTables } from '../../tools/fuzz/page-tables.ts';

const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);
const SELF = 0x7ff0;

/** d1 runs on tables in its pages 0 to 3, which map all of its six pages; or d3 does so, which has 32 bits. */
function hostWithTables(is32bit: boolean): CoreHost {
  const host = bootedHost().prepare(...build(3, { vcpus: 1, pages: 6, hvm: false, size: 32 }));
  const domid = is32bit ? 3 : 1;
  const [mfn] = (is32bit ? writePaeTables : writeTables)(host, domid, 6).tables as [number];
  const base = { domid, vcpu: 0, foreigndom: SELF, mfn };
  return host.prepare(
    { type: is32bit ? 'mmuext.pin_l3_table' : 'mmuext.pin_l4_table', ...base },
    { type: 'mmuext.new_baseptr', ...base },
  );
}
const runs = fc.commands([...mmActs, ...mmActs, ...memoryActs, ...gnttabActs, ...domainActs], { maxCommands: 80, size: 'max' });

test('references to frames are those of the tables in memory, whatever is asked; the log folds and verifies; one mark undoes it', () => {
  fc.assert(
    fc.property(fc.boolean(), runs, (is32bit, acts) => {
      const host = hostWithTables(is32bit);
      const before = { xen: host.xen.digest(), memory: host.memory.digest() };
      const mark = host.journal.mark();
      // The host asks its invariants, and looks at every table in memory, after each step.
      fc.modelRun(() => ({ model: {}, real: host }), acts);
      const empty = (): Xen => new Xen(new Journal(), smallMachine);
      expect([...fold(empty(), host.steps).diff(host.xen)]).toEqual([]);
      expect(verify(empty(), host.steps)).toBeNull();
      host.journal.rollback(mark);
      expect({ xen: host.xen.digest(), memory: host.memory.digest() }).toEqual(before);
    }),
    { numRuns },
  );
});

test('a guest with page tables, however it came to have them, dies and leaves nothing', () => {
  fc.assert(
    fc.property(fc.boolean(), runs, (is32bit, acts) => {
      const host = hostWithTables(is32bit);
      fc.modelRun(() => ({ model: {}, real: host }), acts);
      for (const domain of [...host.xen.domids()].filter((domid) => domid !== 0))
        for (let call = 0; call < 200; call++)
          if (host.answer({ type: 'domctl.destroydomain', domid: 0, domain }) !== 'ERESTART') break;
      for (const [mfn, info] of host.xen.mm.all())
        if (info.domid !== 0) expect([mfn, info.refs - info.foreign_refs, info.foreign_refs > 0]).toEqual([mfn, 0, true]);
      for (const domid of host.xen.domids()) if (domid !== 0) expect(host.xen.holdsOn(domid)).toBeGreaterThan(0);
    }),
    { numRuns: Math.ceil(numRuns / 3) },
  );
});

test("a dom0 that Xen translates for holds others' frames in its physmap: what always holds does so then", () => {
  fc.assert(
    fc.property(runs, (acts) => {
      const host = new CoreHost();
      host.prepare(
        ...build(0, { vcpus: 2, pages: 8, hvm: true, caller: 0x7ff2 }),
        ...build(1, { vcpus: 1, pages: 6, hvm: false }),
        ...build(2, { vcpus: 3, pages: 6, hvm: true }),
      );
      fc.modelRun(() => ({ model: {}, real: host }), acts);
      const empty = new Xen(new Journal(), smallMachine);
      expect([...fold(empty, host.steps).diff(host.xen)]).toEqual([]);
    }),
    { numRuns: Math.ceil(numRuns / 3) },
  );
});
