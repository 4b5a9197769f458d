// Grant tables of both versions under any use of them by guests that leave alone what Xen writes there.
// FC_REPLAY='{"seed":...,"path":"..."}' finds a reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { GTF } from '../../src/abi/grant-table.ts';
import { entryAt, statusPlace } from '../../src/core/gnttab/entries.ts';
import { wrongStatuses } from '../../src/core/gnttab/invariants.ts';
import { type CoreCommand, Xen } from '../../src/core/index.ts';
import { Journal } from '../../src/tables/journal.ts';
import { bootedHost, type CoreHost, fold, politeRuns, smallMachine, verify } from '../../tools/fuzz/index.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}') as { seed?: number; path?: string };
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

test('the status of an entry is what its pins say, whatever is mapped, copied, given away, swapped, or dies', () => {
  const answers = new Map<string, number>();
  fc.assert(
    fc.property(politeRuns, (acts) => {
      const host = bootedHost();
      let checked = host.steps.length;
      const check = (): void => {
        expect([...wrongStatuses(host.xen, host.memory)]).toEqual([]);
        for (; checked < host.steps.length; checked++) {
          const { command, outcome } = host.steps[checked]!;
          const key = `${command.type} ${outcome.ok ? 'ok' : outcome.errno}`;
          answers.set(key, (answers.get(key) ?? 0) + 1);
        }
      };
      for (const act of acts) {
        act.run({}, host);
        check();
      }
      expect([...fold(new Xen(new Journal(), smallMachine), host.steps).diff(host.xen)]).toEqual([]);
      expect(verify(new Xen(new Journal(), smallMachine), host.steps)).toBeNull();
    }),
    { numRuns, ...replay },
  );
  // The runs reach what they are there for: every operation works now and then.
  if (replay.seed !== undefined) return;
  for (const operation of [
    'map_grant_ref',
    'map_grant_ref_at',
    'unmap_grant_ref_at',
    'copy',
    'transfer',
    'set_version',
    'swap_grant_ref',
  ])
    expect(answers.get(`gnttab.${operation} ok`) ?? 0, operation).toBeGreaterThan(0);
});

/** d1 has granted dom0 its page 1 by entry 0, which is mapped to write, and by entry 1, which is not mapped. */
function mapped(version: 1 | 2): CoreHost {
  const commands: CoreCommand[] = [
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 1, gfn: 1, backend: 0 },
    { type: 'gnttab.set_version', domid: 1, version },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: false },
  ];
  return bootedHost().prepare(...commands);
}

// The rule is worth something: whatever is wrong with a status is seen.
test.each([
  [1, 0, GTF.writing],
  [1, 0, GTF.reading],
  [1, 1, GTF.reading],
  [2, 0, GTF.writing],
  [2, 0, GTF.reading],
  [2, 1, GTF.writing],
] as const)('in version %i, a status of entry %i that is wrong by %i is wrong', (version, ref, flag) => {
  const { xen, memory } = mapped(version);
  expect([...wrongStatuses(xen, memory)]).toEqual([]);
  const { mfn, at } = statusPlace(xen, 1, ref);
  memory.put16(mfn, at, memory.get16(mfn, at) ^ flag);
  expect([...wrongStatuses(xen, memory)]).toEqual([expect.stringContaining(`d1 ref ${ref} has status`)]);
});

test("in version 2 the entry itself is the guest's alone", () => {
  const { xen, memory } = mapped(2);
  const { mfn, at } = entryAt(xen, 1, 0)!;
  expect(memory.get16(mfn, at)).toBe(GTF.permit_access);
});
