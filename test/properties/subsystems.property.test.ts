// A whole host under any commands, right and wrong: what always holds, and that its log is all there is to know of it.
// FC_REPLAY='{"seed":...,"path":"..."}' finds a reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Log, LogWriter, type RunHeader } from '../../events/log.ts';
import { eventsOf } from '../../events/step.ts';
import type { Step } from '../../events/vocabulary.ts';
import { decide, evolve, type Host } from '../../src/host.ts';
import { PlaybackReader } from '../../src/memory/reader.ts';
import { bootedPlainHost, hostBoot, hostRuns, PlainHost, perform, plainConfig } from '../../tools/fuzz/index.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}') as { seed?: number; path?: string };
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

const header: RunHeader = { xenolog: '0', seed: 1, xen_version: '4.17', host: plainConfig, images: [] };
const emptyHost = (): Host => new PlainHost().host;

/** Through the log's bytes and back. */
function logged(steps: readonly Step[]): Step[] {
  const parts: Uint8Array[] = [];
  const writer = new LogWriter(header, (bytes) => parts.push(bytes.slice()));
  for (const step of steps) writer.append(step);
  writer.end({ steps: steps.length, state: 0, memory: 0 });
  return [...new Log(new Uint8Array(Buffer.concat(parts))).steps()];
}

test('invariants hold after any commands; the log keeps, folds and verifies them; one mark undoes all of it', () => {
  fc.assert(
    fc.property(hostRuns, (acts) => {
      const machine = bootedPlainHost();
      const { host, memory, steps } = machine;
      const before = { host: host.digest(), memory: memory.digest() };
      const start = emptyHost();
      start.restore(host.snapshot());
      const mark = host.journal.mark();

      for (const act of acts) perform(act, host, machine.submit);

      const read = logged(steps);
      expect(read).toEqual(steps);

      // One host decides each step again, on what it read then; it is folded on the way.
      const second = emptyHost();
      for (const step of read) {
        const reader = new PlaybackReader(step.reads);
        const now = decide(second, step.command, step.time, reader);
        expect([step.seq, reader.exhausted, now]).toEqual([step.seq, true, step.outcome]);
        for (const event of eventsOf(step.outcome)) evolve(second, event, step.seq);
      }
      expect([...second.diff(host)]).toEqual([]);
      expect(second.digest()).toBe(host.digest());

      host.journal.rollback(mark);
      expect([...start.diff(host)]).toEqual([]);
      expect({ host: host.digest(), memory: memory.digest() }).toEqual(before);
    }),
    { numRuns, ...replay },
  );
});

test('a fact that comes where it does not belong harms nothing', () => {
  fc.assert(
    fc.property(hostRuns, (acts) => {
      const machine = bootedPlainHost();
      for (const act of acts) perform(act, machine.host, machine.submit);
      // Facts of these subsystems, on a host that knows none of it.
      const stranger = bootedPlainHost().host;
      const own = /^(guest|hvc|xenbus|console|vbd|xl|host|bootloader|hotplug)\./;
      for (const { seq, outcome } of machine.steps.slice(hostBoot.length))
        for (const event of eventsOf(outcome)) if (own.test(event.type)) evolve(stranger, event, seq);
      expect(stranger.digest()).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: Math.ceil(numRuns / 5) },
  );
});
