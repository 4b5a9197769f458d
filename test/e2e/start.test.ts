// Starts of other versions: read where their parts are found again by name, read with a word about what became of them where they are not,
// and otherwise refused in one line.
import { describe, expect, test } from 'vitest';
import { sha256 } from '../../adapters/log-file.ts';
import { Log, LogError, LogWriter } from '../../events/log.ts';
import { STATE_VERSION } from '../../events/upcast.ts';
import { type ActorSnapshot, endOf } from '../../machines/index.ts';
import { encodeStart, fold, follow, reenact, startOf, verify } from '../../replay/index.ts';
import { useStart } from '../../replay/start.ts';
import { columnsSince, equalDigests, type StateChange } from '../../replay/state-changes.ts';
import { keptLog } from '../golden/logs/layouts.ts';
import { openLivecd } from '../livecd.ts';
import { OtherStart, withStart } from '../starts.ts';

const log = keptLog(`state-${STATE_VERSION}.xlog`);
const start = (): OtherStart => new OtherStart(log);

/** Read, and the run goes on from there to the end that it had. */
function expectRead(other: OtherStart): void {
  const it = withStart(log, other.bytes());
  expect(verify(it)).toBeNull();
  expect(follow(it).divergence).toBeNull();
  expect(fold(it).digest()).toBe(log.end!.state);
  expect(reenact(it).divergence).toBeNull();
}
/** Read with a change from the version of the start to the next. */
function expectReadWith(other: OtherStart, change: StateChange): void {
  const from = useStart(withStart(log, other.bytes()), { [STATE_VERSION]: change }, STATE_VERSION + 1);
  expect(reenact(log, { from }).divergence).toBeNull();
  expect(follow(log, { from }).divergence).toBeNull();
}
function expectRefused(other: OtherStart, what: string | RegExp): void {
  const refusal = messageOf(() => startOf(withStart(log, other.bytes())));
  expect(refusal).toMatch(what);
  expect(refusal).toMatch(
    /^the log starts at step \d+, and .*; bring the files before it, or go on with a xenolog of its time \(0\.1\.0\)$/,
  );
}
function messageOf(use: () => unknown): string {
  try {
    use();
    return 'it was read';
  } catch (error) {
    expect(error).toBeInstanceOf(LogError);
    return (error as LogError).message;
  }
}

test('a start of ours is read', () => {
  expectRead(start());
  expect(start().digests.size).toBeGreaterThan(100);
});

describe('tables', () => {
  test('in another order, with columns in another order', () => {
    const other = start();
    other.setTables(other.layout.tables.toReversed(), other.tables.toReversed());
    for (const name of ['domain', 'evtchn', 'vcpu', 'vbd.back', 'grant'])
      other.setColumns(name, other.columnsOf(name).toReversed());
    expectRead(other);
  });
  test('with pages of another size', () => {
    const other = start();
    const [name, rows, columns] = other.layoutOf('evtchn');
    // Each page of 64 rows as four of 16.
    const snapshot = other.snapshotOf('evtchn');
    const four = (page: number): number[] => [0, 1, 2, 3].map((i) => page * 4 + i);
    other.digests.delete('table evtchn');
    other.setTable('evtchn', [name, rows / 4, columns], {
      ...snapshot,
      owners: snapshot.owners.map((pages) => pages?.flatMap(four)),
      used: snapshot.used * 4,
      spare: snapshot.spare.flatMap(four),
    });
    expectRead(other);
  });
  test('that are new here: empty, and domains have their rows in them', () => {
    const other = start();
    for (const name of ['m2p', 'trace', 'hvm.param', 'vif.tx', 'maptrack']) other.without(name);
    const it = withStart(log, other.bytes());
    expect(startOf(it)!.host.xen.tables).toHaveLength(startOf(log)!.host.xen.tables.length);
    // dom0 has mapped grants by then, and whoever says otherwise is found out.
    expect(reenact(it).divergence).toMatchObject({ what: 'the state at the end differs' });
    expectRead(start().without('m2p').without('hvm.param'));
    const host = fold(withStart(log, start().without('vif.rx').bytes()));
    for (const domid of host.xen.domids()) expect(host.table('vif.rx')!.of(domid)).toBeDefined();
  });
  test('of which columns are new here: as in a fresh row', () => {
    const other = start();
    const without = (name: string, ...gone: string[]) =>
      other.setColumns(
        name,
        other.columnsOf(name).filter(({ of }) => !gone.includes(of)),
      );
    without('domain', 'ssidref', 'cap', 'tsc_offset_ns').without('frame').setColumns('evtchn', other.columnsOf('evtchn'));
    expectRead(other);
  });
  test('that are no more: they go where nothing is in them, are refused where there is, and go where that is said', () => {
    const add = (used: boolean): OtherStart => {
      const other = start();
      const chunk = { rows: 64, columns: [Uint8Array.from({ length: 64 }, () => (used ? 7 : 0))] };
      return other.setTables(
        [['old', 64, [['much', 'u8']]], ...other.layout.tables],
        [{ chunks: [chunk], owners: [[0]], used: 1, spare: [] }, ...other.tables],
      );
    };
    expectRead(add(false));
    expectRefused(add(true), /can not be used: the table old has gone;/);
    expectReadWith(add(true), { tables: { old: 'gone' } });
  });
  test('of which columns are no more: the same', () => {
    const add = (of: number) => start().setColumns('domain', [...start().columnsOf('domain'), { of, as: ['old', 'u8'] }]);
    expectRead(add(0));
    expectRefused(add(3), 'of the table domain, the column old has gone;');
    expectReadWith(add(3), { tables: { domain: { row: ({ old: _, ...row }) => row } } });
  });
  test('and columns that had another name: said to, or refused', () => {
    const renamed = () =>
      start().setColumns(
        'domain',
        start()
          .columnsOf('domain')
          .map((one) => (one.of === 'weight' ? { ...one, as: ['share', 'u16'] as const } : one)),
      );
    expectRefused(renamed(), 'of the table domain, the column share has gone;');
    expectReadWith(renamed(), { tables: { domain: { row: ({ share, ...row }) => ({ ...row, weight: share! }) } } });
    const other = start();
    const at = other.layout.tables.findIndex(([name]) => name === 'domain');
    const [, ...rest] = other.layoutOf('domain');
    other.layout = { ...other.layout, tables: other.layout.tables.with(at, ['domains', ...rest]) };
    other.digests.delete('table domain');
    expectRefused(other, 'the table domains has gone;');
    expectReadWith(other, { tables: { domains: { name: 'domain' } } });
  });
  test('with names in another order, or by another name', () => {
    const states = (names: readonly string[], to: (value: number) => number) =>
      start().setColumns(
        'domain',
        start()
          .columnsOf('domain')
          .map((one) => (one.of === 'state' ? { ...one, as: ['state', names] as const, to } : one)),
      );
    // none, alive, dying, dead
    expectRead(states(['dead', 'dying', 'alive', 'none'], (value) => 3 - value));
    const named = () => states(['none', 'living', 'dying', 'dead'], (value) => value);
    expectRefused(named(), 'of the table domain, the column state has living, which it can not have any more;');
    const row = ({ state, ...others }: Readonly<Record<string, string | number>>) => ({
      ...others,
      state: state === 'living' ? 'alive' : state!,
    });
    expectReadWith(named(), { tables: { domain: { row } } });
    // shut_down has numbers beyond its names: a code that is none of these. They stay where the names do.
    const codes = (...more: string[]) =>
      start().setColumns(
        'domain',
        start()
          .columnsOf('domain')
          .map((one) =>
            one.of === 'shut_down'
              ? { ...one, as: ['shut_down', [...(one.as[1] as string[]), ...more]] as const, to: () => 200 }
              : one,
          ),
      );
    expect(fold(withStart(log, codes().bytes())).xen.domain.of(0)!.shut_down.at(0)).toBe(200);
    expectRefused(codes('more'), 'of the table domain, the column shut_down has 200, which it can not have any more;');
  });
  test('with numbers of another type: as long as they fit', () => {
    const weights = (type: 'f64' | 'i32', to: (value: number) => number) =>
      start().setColumns(
        'domain',
        start()
          .columnsOf('domain')
          .map((one) => (one.of === 'weight' ? { ...one, as: ['weight', type] as const, to } : one)),
      );
    expectRead(weights('f64', (value) => value));
    expectRefused(
      weights('i32', () => -1),
      'of the table domain, the column weight has -1, which it can not have any more;',
    );
    expectRefused(
      weights('f64', () => 70_000),
      'the column weight has 70000,',
    );
  });
  test('that are none', () => {
    const broken = (change: (snapshot: ReturnType<OtherStart['snapshotOf']>) => object): OtherStart => {
      const other = start();
      return other.setTable('domain', other.layoutOf('domain'), {
        ...other.snapshotOf('domain'),
        ...change(other.snapshotOf('domain')),
      });
    };
    const none = 'the table domain is none;';
    expectRefused(
      broken(({ used }) => ({ used: used + 1 })),
      none,
    );
    expectRefused(
      broken(() => ({ owners: [[0, 0]] })),
      none,
    );
    expectRefused(
      broken(() => ({ owners: [[1e6]] })),
      none,
    );
    expectRefused(
      broken(({ chunks }) => ({ chunks: chunks.map(({ rows, columns }) => ({ rows, columns: columns.slice(1) })) })),
      none,
    );
    expectRefused(
      broken(({ chunks: [chunk] }) => ({ chunks: [chunk, chunk], used: 8 })),
      none,
    );
    expectRefused(
      broken(({ chunks }) => ({ chunks: chunks.map((chunk) => ({ ...chunk, rows: 2 ** 40 })), used: 2 ** 36 })),
      none,
    );
  });
});

describe('records, actors and the rest', () => {
  const recordsOf = (other: OtherStart) => [...other.checkpoint.host.xen.records, ...other.checkpoint.host.records];
  /** The guests' records otherwise, and perhaps under another name. */
  function guests(to: (record: Readonly<Record<string, unknown>>) => object, name = 'guest'): OtherStart {
    const other = start();
    const at = other.layout.records.indexOf('guest');
    const all = recordsOf(other);
    const made = new Map([...all[at]!].map(([key, record]) => [key, to(record as never)]));
    const { host } = other.checkpoint;
    other.checkpoint = { ...other.checkpoint, host: { ...host, xen: { ...host.xen, records: [] }, records: all.with(at, made) } };
    other.layout = { ...other.layout, records: other.layout.records.with(at, name) };
    other.digests.delete('record guest');
    return other;
  }
  test('records with other fields, or of another name', () => {
    // In their order, for a record's digest is of its JSON.
    const renamed = (record: object, from: string, to: string, change: (value: number) => number): object =>
      Object.fromEntries(Object.entries(record).map(([key, value]) => (key === from ? [to, change(value)] : [key, value])));
    const older = () => guests((record) => renamed(record, 'started_ns', 'started_ms', (ns) => ns / 1e6));
    expectRefused(older(), 'the record guest has a field started_ms;');
    const record = (one: object) => renamed(one, 'started_ms', 'started_ns', (ms) => ms * 1e6);
    expectReadWith(older(), { records: { guest: { record } } });
    expectRefused(
      guests(({ works: _, ...others }) => others),
      'the record guest has no field works;',
    );
    expectRefused(
      guests((one) => ({ ...one, requests: [{ req_id: 1 }] })),
      'the record guest has no field',
    );
    expectRefused(
      guests((one) => one, 'kernel'),
      'the records kernel have gone;',
    );
    expectReadWith(
      guests((one) => one, 'kernel'),
      { records: { kernel: { name: 'guest' } } },
    );
    const more = guests((one) => one);
    more.layout = { ...more.layout, records: [...more.layout.records, 'old'] };
    const { host } = more.checkpoint;
    more.checkpoint = { ...more.checkpoint, host: { ...host, records: [...host.records, new Map([[1, { a: 1 }]])] } };
    expectRefused(more, 'the records old have gone;');
    expectReadWith(more, { records: { old: 'gone' } });
  });
  function actors(
    to: (
      actor: ActorSnapshot & { readonly snapshot: { readonly value: unknown; readonly context: object } },
      id: string,
    ) => object,
  ): OtherStart {
    const other = start();
    const made = new Map([...other.checkpoint.actors].map(([id, actor]) => [id, to(actor as never, id)]));
    other.checkpoint = { ...other.checkpoint, actors: made as never };
    other.digests.delete('actors');
    return other;
  }
  test('actors of a kind that there is none of, in a state or with a mind that theirs has not', () => {
    const daemon = () => actors((actor) => (actor.kind === 'xenconsoled' ? { ...actor, kind: 'consoled' } : actor));
    expectRefused(daemon(), /the actor \S+ is a consoled, which there is none of;/);
    expectReadWith(daemon(), { actors: { consoled: { name: 'xenconsoled' } } });
    const state = () =>
      actors((actor) =>
        actor.kind === 'pcpu' && actor.snapshot.value === 'idle'
          ? { ...actor, snapshot: { ...actor.snapshot, value: 'busy' } }
          : actor,
      );
    expectRefused(state(), /the actor p\d is in a state that a pcpu has not: "busy";/);
    expectReadWith(state(), {
      actors: { pcpu: { actor: (chart) => ({ ...chart, value: chart.value === 'busy' ? 'idle' : chart.value }) } },
    });
    const mind = () =>
      actors((actor) =>
        actor.kind === 'watch'
          ? { ...actor, snapshot: { ...actor.snapshot, context: { ...actor.snapshot.context, fired: 3 } } }
          : actor,
      );
    expectRefused(mind(), /the actor \S+ has a field fired;/);
    expectReadWith(mind(), {
      actors: { watch: { actor: ({ context: { fired: _, ...context }, ...chart }) => ({ ...chart, context }) } },
    });
    expectReadWith(
      actors((actor) => actor),
      { actors: { hostBoot: 'gone' } },
    );
  });
  test('fields of everything else', () => {
    const older = (): OtherStart => {
      const other = start();
      const { guests: privates, caches } = other.checkpoint.guests as {
        guests: ReadonlyMap<number, Readonly<Record<string, unknown>>>;
        caches: unknown;
      };
      const made = new Map([...privates].map(([domid, { hvcTx, ...rest }]) => [domid, { ...rest, console: hvcTx }]));
      other.checkpoint = { ...other.checkpoint, guests: { guests: made, caches } };
      other.digests.delete('guests');
      return other;
    };
    expectRefused(older(), 'guests.guests.* has a field console;');
    const part = ({ console, ...rest }: Readonly<Record<string, unknown>>) => ({ ...rest, hvcTx: console });
    expectReadWith(older(), { parts: { 'guests.guests.*': part } });
  });
});

describe('a start', () => {
  test('of a store as deep as a path can be is read', () => {
    const parts: Uint8Array[] = [];
    const { recording } = openLivecd({});
    const { dispatcher } = recording;
    for (const part of ['', '-b']) {
      const path = `/a${part}${'/a'.repeat(1020)}`;
      expect(dispatcher.input({ type: 'xenstore.write', conn: 0, tx: 0, path, value: 'x' }, 'operator').ok).toBe(true);
    }
    const part = { number: 2, first: dispatcher.seq, run: '', follows: '' };
    const writer = new LogWriter({ ...log.header, part }, (bytes) => parts.push(bytes.slice()), sha256, encodeStart(dispatcher));
    writer.end(endOf(dispatcher));
    const read = new Log(new Uint8Array(Buffer.concat(parts)));
    expect(fold(read).digest()).toBe(dispatcher.host.digest());
    expect(reenact(read).divergence).toBeNull();
  });
  test('of a newer version is refused', () => {
    const other = start();
    other.layout = { ...other.layout, version: STATE_VERSION + 1 };
    expect(messageOf(() => startOf(withStart(log, other.bytes())))).toMatch(
      /^the log starts at step \d+, and its checkpoint is of version \d+; this xenolog reads up to \d+; bring the files before it, or use a newer xenolog$/,
    );
  });
  test('of an older one that can not be read says which versions they are', () => {
    const other = withStart(
      log,
      start()
        .setColumns('domain', [...start().columnsOf('domain'), { of: 3, as: ['old', 'u8'] }])
        .bytes(),
    );
    expect(messageOf(() => useStart(other, {}, STATE_VERSION + 1))).toMatch(
      `can not be used (it is of version ${STATE_VERSION}, this xenolog's is ${STATE_VERSION + 1}): of the table domain, the column old has gone; `,
    );
  });
  test('is what was written: each part has its digest', () => {
    for (const name of ['table evtchn', 'record guest', 'p2m', 'store', 'memory', 'actors', 'guests', 'xenstored']) {
      const other = start();
      other.digests.set(name, (other.digests.get(name)! ^ 1) >>> 0);
      expectRefused(other, `${name} is not what was written (its digest differs);`);
    }
    const other = start();
    other.checkpoint = { ...other.checkpoint, seq: other.checkpoint.seq - 1 };
    expectRefused(other, /it is one before step \d+;/);
  });
  test('that is none is refused', () => {
    const refused = (bytes: Uint8Array): string => messageOf(() => startOf(withStart(log, bytes)));
    expect(refused(new Uint8Array(0))).toMatch('a version before 1 has made it;');
    expect(refused(new Uint8Array(1000).fill(7))).toMatch('a version before 1 has made it;');
    const bytes = start().bytes();
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(length / 20))
      expect(refused(bytes.subarray(0, length))).toMatch(
        /^the log starts at step \d+, and its checkpoint can not be used: .*; bring/,
      );
  });
});

test('digests are compared as far as a version has them in the same form', () => {
  const changes = {
    1: { tables: {} },
    2: { actors: {} },
    4: { parts: { 'dom0.xenstored.timer.*': (one: unknown) => one } },
    5: { digests: ['memory'] },
  } as const;
  expect(equalDigests(6, changes, 6)).toEqual(['state', 'memory', 'actors', 'executors']);
  expect(equalDigests(5, changes, 6)).toEqual(['state', 'actors', 'executors']);
  expect(equalDigests(3, changes, 6)).toEqual(['state', 'actors']);
  expect(equalDigests(2, changes, 6)).toEqual(['state']);
  expect(equalDigests(1, changes, 6)).toEqual([]);
  expect(equalDigests(7, changes, 6)).toEqual([]);

  const filled = { 1: { filled: ['domain/weight'] }, 2: {}, 3: { filled: ['evtchn/raised_by', 'vcpu/rank'] } };
  expect(columnsSince(1, filled, 4)).toEqual(new Set(['domain/weight', 'evtchn/raised_by', 'vcpu/rank']));
  expect(columnsSince(2, filled, 4)).toEqual(new Set(['evtchn/raised_by', 'vcpu/rank']));
  expect(columnsSince(4, filled, 4)).toBeUndefined();
  expect(equalDigests(1, filled, 4)).toEqual(['state', 'memory', 'actors', 'executors']);
});

/** How many damaged starts are tried; XENOLOG_FAULTS=all for more. */
const DAMAGED = process.env['XENOLOG_FAULTS'] === 'all' ? 20_000 : 300;

describe('bytes whose checksums are right and that are no start', () => {
  /** Numbers that are the same every time. */
  function random(seed: number): (below: number) => number {
    let state = seed;
    return (below) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
  }
  /** Whatever they are, there is a start or a `LogError`, soon and in little memory. */
  function tried(bytes: Uint8Array): boolean {
    const other = Object.create(log, { start: { value: bytes } });
    try {
      useStart(other);
      return true;
    } catch (error) {
      if (!(error instanceof LogError)) throw error;
      return false;
    }
  }
  test.each([
    ['state-1.xlog', 'a start'],
    ['state-1-by-digest.xlog', 'a start of the first days'],
  ])('%s: %s of which some bytes are others', { timeout: 20_000 + DAMAGED * 20 }, (name) => {
    const bytes = keptLog(name).start!;
    const draw = random(name.length);
    let read = 0;
    for (let n = 0; n < DAMAGED; n++) {
      const other = bytes.slice();
      for (let i = draw(4); i >= 0; i--) other[draw(2) === 0 ? draw(bytes.length) : draw(2000) + 16_000] = draw(256);
      if (tried(other)) read++;
    }
    // What no digest is of: a name in the description's fields, a scheduler's next pause.
    expect(read).toBeLessThan(name === 'state-1.xlog' ? DAMAGED / 5 : DAMAGED);
  });
  test('at random', () => {
    const head = start().bytes().subarray(0, 12);
    const draw = random(3);
    for (let n = 0; n < DAMAGED; n++) {
      const other = Uint8Array.from({ length: draw(3000) }, () => draw(draw(2) === 0 ? 256 : 24));
      other.set(head.subarray(0, Math.min(head.length, other.length)));
      expect(tried(other)).toBe(false);
    }
  });
});
