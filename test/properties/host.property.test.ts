import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { MS, SECOND } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import { type Dispatcher, mirrorsDisagree } from '../../machines/index.ts';
import { hostViolations } from '../../src/invariants.ts';
import { livecdAt } from '../livecd.ts';

// FC_REPLAY='{"seed":…,"path":"…"}' runs one reported counterexample again; XENOLOG_FUZZ_RUNS asks for more runs.
const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}');
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 25);

const domid = fc.integer({ min: 0, max: 4 });
const port = fc.integer({ min: 0, max: 14 });
const guest = fc.integer({ min: 1, max: 3 });
const name = fc.constantFrom('server01', 'client01', 'nobody');
const config = fc.constantFrom(
  'name = "a"\nmemory = 32\nkernel = "/boot/builtin"\n',
  'name = "b"\nmemory = 99999\n',
  'name = "server01"\nmemory = 32\n',
  'memory = ',
  'name = "c"\nmemory = 32\ndisk = ["file:/nothing,xvda,w"]\nbootloader = "pygrub"\n',
);
const xl = (...argv: string[]): Command => ({ type: 'xl.run', argv, files: [] });

/** What may come from outside, or from a guest that has gone mad: right and wrong. */
const input: fc.Arbitrary<Command> = fc.oneof(
  name.map((one) => xl('pause', one)),
  name.map((one) => xl('unpause', one)),
  name.map((one) => xl('shutdown', one)),
  name.map((one) => xl('destroy', one)),
  fc.constant(xl('list')),
  fc.constant(xl('frobnicate', 'x')),
  config.map((text): Command => ({ type: 'xl.run', argv: ['create', '/a.cfg'], files: [text] })),
  fc.record({
    type: fc.constant('console.input' as const),
    dom: domid,
    text: fc.constantFrom('livexen\nlive\n', 'ls\n', '\x00\xff\n', 'halt\n'),
  }),
  fc.record({ type: fc.constant('evtchn.close' as const), domid: guest, port }),
  fc.record({ type: fc.constant('evtchn.send' as const), domid: guest, port }),
  fc.record({ type: fc.constant('evtchn.alloc_unbound' as const), domid: guest, dom: domid, remote_dom: domid }),
  fc.record({ type: fc.constant('gnttab.unmap_grant_ref' as const), domid, handle: fc.integer({ min: 0, max: 20 }) }),
  fc.record({
    type: fc.constant('sched.shutdown' as const),
    domid: guest,
    reason: fc.constantFrom('crash' as const, 'reboot' as const),
  }),
  fc.record({
    type: fc.constant('xenstore.rm' as const),
    conn: fc.constant(0),
    tx: fc.constant(0),
    path: fc.constantFrom('/local/domain/1', '/local/domain/0/backend', '/vm'),
  }),
  fc.record({
    type: fc.constant('xenstore.write' as const),
    conn: guest,
    tx: fc.constant(0),
    path: fc.constantFrom('device/vbd/51712/state', 'control/shutdown', 'data/x'),
    value: fc.constantFrom('4', '6', 'x'),
  }),
);

let host: Dispatcher;
beforeAll(() => {
  host = livecdAt(10 * SECOND).dispatcher;
});

const state = (): object => ({
  host: host.host.digest(),
  memory: host.memory.digest(),
  actors: host.directory.digest(),
  seq: host.seq,
  now: host.now,
});

test('whatever comes, the invariants hold, the mirrors agree, and one mark undoes all of it', () => {
  const start = state();
  fc.assert(
    fc.property(fc.array(input, { minLength: 1, maxLength: 8 }), (inputs) => {
      const rollback = host.mark();
      try {
        for (const command of inputs) {
          host.input(command, 'fuzz');
          host.run(host.now + 60 * MS);
          const lines = [...hostViolations(host.host)];
          for (const line of mirrorsDisagree(host.host, host.directory)) lines.push(`mirrors: ${line}`);
          expect(lines).toEqual([]);
        }
      } finally {
        rollback();
      }
      expect(state()).toEqual(start);
    }),
    { numRuns, ...replay },
  );
});

test('a future that was undone and happens again is the same', () => {
  const futures: number[] = [];
  for (let i = 0; i < 2; i++) {
    const rollback = host.mark();
    host.input(xl('shutdown', 'server01'), 'test');
    host.input(xl('destroy', 'client01'), 'test');
    host.run(host.now + 3 * SECOND);
    futures.push(host.host.digest(), host.memory.digest(), host.directory.digest(), host.seq);
    rollback();
  }
  expect(futures.slice(4)).toEqual(futures.slice(0, 4));
});

test('after the storm every domain can be destroyed, and everything comes back', () => {
  const rollback = host.mark();
  for (const one of ['server01', 'client01']) {
    host.input(xl('destroy', one), 'test');
    host.run(host.now + SECOND);
  }
  const { xen } = host.host;
  const row = xen.domain.of(0)!;
  for (let domid = 1; domid < row.length; domid++) expect([domid, row.state.is(domid)]).toEqual([domid, 'none']);
  expect(row.foreign_maps.at(0)).toBe(0);
  expect([...xen.gnttab.maptrack.inUse(0)]).toEqual([]);
  expect(host.directory.ids().filter((id) => /^d[1-9]|^d0\.backend/.test(id))).toEqual([]);
  rollback();
});
