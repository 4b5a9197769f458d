// What a next file starts from, of a host to which anything has happened: it is read, and is what was written.
// FC_REPLAY='{"seed":...,"path":"..."}' finds a reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Checkpoint, Dispatcher } from '../../machines/index.ts';
import { stateLayout } from '../../replay/layout.ts';
import { mapCheckpoint } from '../../replay/mapping.ts';
import { readStart, writeStart } from '../../replay/start.ts';
import { Xen } from '../../src/core/index.ts';
import { Host, type HostSnapshot } from '../../src/host.ts';
import type { MemorySnapshot } from '../../src/memory/memory.ts';
import { Journal } from '../../src/tables/journal.ts';
import { bootedHost, bootedPlainHost, coreRuns, hostRuns, perform, plainConfig, smallMachine } from '../../tools/fuzz/index.ts';
import { livecdAt } from '../livecd.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}') as { seed?: number; path?: string };
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

const options = { config: plainConfig, seed: 1 };
const empty = new Dispatcher({ ...options, images: [] }).checkpoint();

/** Through bytes, and through the eyes of a version that looks at each part; where pages have another size, by another way. */
function readBack(checkpoint: Checkpoint, pages: 'ours' | 'others'): Checkpoint {
  const bytes = writeStart({ layout: stateLayout(), digests: new Map(), checkpoint });
  const { layout, checkpoint: raw } = readStart(bytes);
  const tables = layout.tables.map(
    ([name, rows, columns]) => [name, rows, pages === 'ours' ? columns : columns.toReversed()] as const,
  );
  const { host } = raw as { host: HostSnapshot };
  const reversed = <T extends { readonly chunks: HostSnapshot['tables'][number]['chunks'] }>(table: T): T => ({
    ...table,
    chunks: table.chunks.map(({ rows, columns }) => ({ rows, columns: columns.toReversed() })),
  });
  const other =
    pages === 'ours'
      ? host
      : { ...host, xen: { ...host.xen, tables: host.xen.tables.map(reversed) }, tables: host.tables.map(reversed) };
  return mapCheckpoint({ ...(raw as object), host: other }, { ...layout, tables }, [], new Host(options), bytes.length)
    .checkpoint;
}
const withHost = (host: HostSnapshot, memory: MemorySnapshot): Checkpoint => ({ ...empty, host, memory });

test.each(['ours', 'others'] as const)('any host, with columns in an order that is %s', (pages) => {
  fc.assert(
    fc.property(hostRuns, (acts) => {
      const machine = bootedPlainHost();
      for (const act of acts) perform(act, machine.host, machine.submit);
      const host = new Host(options);
      host.restore(readBack(withHost(machine.host.snapshot(), machine.memory.snapshot()), pages).host);
      expect([...host.diff(machine.host)]).toEqual([]);
      expect([...host.digests()]).toEqual([...machine.host.digests()]);
    }),
    { numRuns, ...replay },
  );
});

test.each(['ours', 'others'] as const)('any hypervisor, with columns in an order that is %s', (pages) => {
  fc.assert(
    fc.property(coreRuns, (acts) => {
      const machine = bootedHost();
      fc.modelRun(() => ({ model: {}, real: machine }), acts);
      const { xen, memory } = machine;
      const mapped = readBack(withHost({ ...empty.host, xen: xen.snapshot() }, memory.snapshot()), pages);
      const read = new Xen(new Journal(), smallMachine);
      read.restore(mapped.host.xen);
      expect([...read.diff(xen)]).toEqual([]);
      expect(read.digest()).toBe(xen.digest());
    }),
    { numRuns, ...replay },
  );
});
test('a host at any moment of a scenario, with clients in the middle of what they do', () => {
  const { dispatcher } = livecdAt(2_500_000_000);
  const ask = (command: Parameters<Dispatcher['input']>[0]): unknown => {
    const outcome = dispatcher.input(command, 'test');
    expect([command, outcome.ok]).toEqual([command, true]);
    return outcome.value;
  };
  const { conn } = ask({ type: 'xenstore.connect', domid: 0 }) as { conn: number };
  ask({ type: 'xenstore.watch', conn, path: '/local', token: 't' });
  const { tx } = ask({ type: 'xenstore.transaction_start', conn, tx: 0 }) as { tx: number };
  ask({ type: 'xenstore.write', conn, tx, path: '/local/domain/0/a/b', value: '1' });
  ask({ type: 'xenstore.rm', conn, tx, path: '/local/domain/1' });
  ask({ type: 'xenstore.directory', conn, tx, path: '/local/domain' });
  ask({ type: 'xenstore.connection_blocks', conn });
  ask({ type: 'xenstore.write', conn: 0, tx: 0, path: '/local/domain/0/c', value: '1' });
  const { config } = dispatcher.host;
  for (let n = 0; n < 20; n++) {
    const read = new Dispatcher({ config, seed: 1, images: config.files.flatMap(() => []) });
    const bytes = writeStart({
      layout: stateLayout(),
      digests: new Map(),
      checkpoint: { ...dispatcher.checkpoint(), dom0: { ...(dispatcher.checkpoint().dom0 as object), disks: [] } },
    });
    const { layout, checkpoint } = readStart(bytes);
    read.restore(mapCheckpoint(checkpoint, layout, [], new Host({ config, seed: 1 }), bytes.length).checkpoint);
    expect([...read.digests()]).toEqual([...dispatcher.digests()]);
    dispatcher.run(dispatcher.now + 50_000_000);
  }
});
