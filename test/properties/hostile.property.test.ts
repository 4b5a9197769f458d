import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { MS, SECOND } from '../../events/units.ts';
import { type Dispatcher, mirrorsDisagree } from '../../machines/index.ts';
import { coreInvariants } from '../../src/core/invariants.ts';
import { CONSOLE_GFN, STORE_GFN } from '../../src/guest/state.ts';
import { invariants as storeInvariants } from '../../src/xenstore/index.ts';
import { livecdAt } from '../livecd.ts';

// FC_REPLAY='{"seed":…,"path":"…"}' runs one reported counterexample again; XENOLOG_FUZZ_RUNS asks for more runs.
const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}');
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

const VICTIM = 2;
const ATTACKER = 1;

let host: Dispatcher;
let pages: readonly number[];
beforeAll(() => {
  host = livecdAt(10 * SECOND).dispatcher;
  const { xen, vbds, vifs } = host.host;
  const gfns = [STORE_GFN, CONSOLE_GFN, vbds.front.of(ATTACKER)!.ring_gfn.at(0)];
  gfns.push(vifs.front.of(ATTACKER)!.tx_gfn.at(0), vifs.front.of(ATTACKER)!.rx_gfn.at(0));
  pages = [
    ...gfns.map((gfn) => xen.p2m.mfn(ATTACKER, gfn)),
    xen.gnttab.frames.of(ATTACKER)!.mfn_plus_1.at(0) - 1,
    xen.sharedInfo(ATTACKER),
  ];
});

/** What a guest that has gone mad writes into the pages that it shares: anything, but most of all into indices, headers and entries. */
const scribble = fc.record({
  page: fc.nat({ max: 6 }),
  offset: fc
    .oneof(fc.nat({ max: 63 }), fc.constantFrom(0x800, 0x804, 0xc00, 0xc04, 0xc08, 0xc0c, 0x810, 0xa00), fc.nat({ max: 1023 }))
    .map((n) => n * 4),
  value: fc.oneof(fc.nat({ max: 300 }), fc.constantFrom(0x7fffffff, 0x80000000, 0xffffffff), fc.nat({ max: 0xffffffff })),
});
const port = fc.nat({ max: 8 });

test('a guest that writes anything into its rings, grants and shared info hurts nobody but itself', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ writes: fc.array(scribble, { maxLength: 12 }), ports: fc.array(port, { maxLength: 4 }) }), {
        minLength: 1,
        maxLength: 5,
      }),
      (rounds) => {
        const rollback = host.mark();
        let printed = '';
        const subscription = host.steps$.subscribe((step) => {
          for (const event of step.outcome.events ?? [])
            if (event.type === 'console.output' && event.dom === VICTIM) printed += event.text;
        });
        try {
          for (const { writes, ports } of rounds) {
            for (const { page, offset, value } of writes) host.memory.put32(pages[page]!, offset & 0xffc, value);
            for (const one of ports) host.input({ type: 'evtchn.send', domid: ATTACKER, port: one }, 'fuzz');
            // Its own kernel wakes up among the ruins too.
            host.input({ type: 'console.input', dom: ATTACKER, text: 'livexen\nlive\nls\nping -c 1 10.0.0.1\n' }, 'test');
            host.run(host.now + 20 * MS);
          }
          // The neighbour goes on as if nothing had been.
          host.input({ type: 'console.input', dom: VICTIM, text: 'livexen\nlive\nls /etc\nping -c 1 10.0.0.1\n' }, 'test');
          host.run(host.now + 3 * SECOND);
          expect(printed).toMatch(/hostname/);
          expect(printed).toMatch(/1 packets transmitted, 1 received/);
          const lines: string[] = [];
          for (const [key, invariant] of Object.entries(coreInvariants))
            for (const line of invariant(host.host.xen)) lines.push(`${key}: ${line}`);
          for (const [key, invariant] of Object.entries(storeInvariants))
            for (const line of invariant(host.host.store)) lines.push(`${key}: ${line}`);
          for (const line of mirrorsDisagree(host.host, host.directory)) lines.push(`mirrors: ${line}`);
          expect(lines).toEqual([]);
          // And it can still be destroyed.
          host.input({ type: 'xl.run', argv: ['destroy', 'server01'], files: [] }, 'test');
          host.run(host.now + SECOND);
          expect(host.host.xen.exists(ATTACKER)).toBe(false);
        } finally {
          subscription.unsubscribe();
          rollback();
        }
      },
    ),
    { numRuns, ...replay },
  );
});
