// XenStore under any history of several clients. FC_REPLAY='{"seed":…,"path":"…"}' runs one reported counterexample again.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { OutcomeOf } from '../../events/step.ts';
import { FIRST_SOCKET, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { Journal } from '../../src/tables/journal.ts';
import { decode, evolve, type Profile, profiles, quotaNames, XenStore } from '../../src/xenstore/index.ts';
import { Server } from '../../tools/conformance/xenstore-server.ts';
import { Model, type Result } from './xenstore-model.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}');

const CLIENTS = 3;
const name = fc.constantFrom('a', 'b', 'c');
const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => `/${names.join('/')}`);
const value = fc.constantFrom('', 'x', 'y');
const client = fc.nat({ max: CLIENTS - 1 });
/** Which open transaction of the client, if any. */
const within = fc.option(fc.nat({ max: 2 }), { freq: 2 });

type Step =
  | {
      readonly op: 'read' | 'directory' | 'mkdir' | 'rm';
      readonly client: number;
      readonly within: number | null;
      readonly path: string;
    }
  | {
      readonly op: 'write';
      readonly client: number;
      readonly within: number | null;
      readonly path: string;
      readonly value: string;
    }
  | { readonly op: 'watch' | 'unwatch'; readonly client: number; readonly path: string; readonly token: string }
  | { readonly op: 'start'; readonly client: number }
  | { readonly op: 'end'; readonly client: number; readonly within: number; readonly commit: boolean };
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      op: fc.constantFrom('read' as const, 'directory' as const, 'mkdir' as const, 'rm' as const),
      client,
      within,
      path,
    }),
  },
  { weight: 5, arbitrary: fc.record({ op: fc.constant('write' as const), client, within, path, value }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constantFrom('watch' as const, 'unwatch' as const), client, path, token: name }) },
  { weight: 2, arbitrary: fc.record({ op: fc.constant('start' as const), client }) },
  {
    weight: 2,
    arbitrary: fc.record({ op: fc.constant('end' as const), client, within: fc.nat({ max: 2 }), commit: fc.boolean() }),
  },
);

/** The command of a step, and what the model says to it. `open` are the transactions of the step's client. */
function pose(step: Step, open: readonly number[], model: Model): [XenstoreCommand, Result] | undefined {
  const conn = FIRST_SOCKET + step.client;
  if (step.op === 'start') return [{ type: 'xenstore.transaction_start', conn, tx: 0 }, model.start(conn)];
  if ('token' in step) {
    const { op, path, token } = step;
    return [{ type: `xenstore.${op}`, conn, path, token }, model[op](conn, path, token)];
  }
  const tx = step.within === null ? 0 : (open[step.within % Math.max(open.length, 1)] ?? 0);
  const key = tx === 0 ? undefined : `${conn} ${tx}`;
  if (step.op === 'end')
    return key === undefined
      ? undefined
      : [{ type: 'xenstore.transaction_end', conn, tx, commit: step.commit }, model.end(key, step.commit)];
  if (step.op === 'write')
    return [{ type: 'xenstore.write', conn, tx, path: step.path, value: step.value }, model.write(key, step.path, step.value)];
  return [{ type: `xenstore.${step.op}`, conn, tx, path: step.path }, model[step.op](key, step.path)];
}

const shown = (outcome: OutcomeOf<XenstoreFact>): Result => {
  if (!outcome.ok) return { ok: false, errno: outcome.errno };
  const [value] = Object.values(outcome.value);
  return value === undefined ? { ok: true } : { ok: true, value };
};
const fired = (outcome: OutcomeOf<XenstoreFact>) =>
  (outcome.events ?? []).flatMap((event) =>
    event.type === 'xenstore.watch_fired' ? [[event.conn, event.path, event.token]] : [],
  );

test('xenstore: replies, conflicts and events of several clients are those of a simple model', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const server = new Server();
      for (let i = 0; i < CLIENTS; i++) server.open();
      const model = new Model(['/tool', '/tool/xenstored']);
      const open: number[][] = Array.from({ length: CLIENTS }, () => []);
      for (const each of steps) {
        model.events = [];
        const posed = pose(each, open[each.client]!, model);
        if (!posed) continue;
        const [command, expected] = posed;
        const outcome = server.submit(command, 1, 0);
        expect([shown(outcome), fired(outcome)], JSON.stringify(command)).toEqual([expected, model.events]);
        if (command.type === 'xenstore.transaction_start') open[each.client]!.push((expected as { value: number }).value);
        if (command.type === 'xenstore.transaction_end') open[each.client]!.splice(open[each.client]!.indexOf(command.tx), 1);
      }
      const contents = Array.from(server.store.ls(), ({ path, value }) => [path, value, server.store.node(path)!.names()]);
      expect(contents.sort(byPath)).toEqual(model.contents().sort(byPath));
      expect([...server.violations()]).toEqual([]);
    }),
    { numRuns: 400, ...replay },
  );
});
const byPath = ([a]: readonly unknown[], [b]: readonly unknown[]): number => (`${a}` < `${b}` ? -1 : 1);

// From here on anybody asks for anything; only the invariants judge. Small quotas, so that they are met.
const small: Profile = {
  ...profiles['4.17'],
  quotas: {
    nodes: 6,
    watches: 2,
    outstanding: 2,
    memory: 600,
    'soft-memory': 500,
    transactions: 2,
    'transaction-nodes': 7,
    'node-permissions': 3,
    'node-size': 60,
    'path-max': 40,
  },
};
const anyPath = fc.oneof(
  path,
  fc.array(name, { maxLength: 3 }).map((names) => names.join('/')),
  fc.constantFrom('/', '', '//', '@releaseDomain', '/local/domain/1', '/local/domain/2/a'),
);
const permission = fc
  .tuple(fc.constantFrom('n', 'r', 'w', 'b'), fc.nat({ max: 3 }))
  .map(([letter, domid]) => `${letter}${domid}`);
const permissions = fc.array(permission, { minLength: 1, maxLength: 4 }).map((list) => list.join('\0'));
const domid = fc.nat({ max: 3 });
const message = fc.oneof(
  fc.tuple(
    fc.constantFrom(1, 2, 3, 12, 13),
    anyPath.map((at) => `${at}\0`),
  ),
  fc.tuple(
    fc.constantFrom(11),
    fc.tuple(anyPath, fc.string({ maxLength: 30 })).map((parts) => parts.join('\0')),
  ),
  fc.tuple(
    fc.constantFrom(14),
    fc.tuple(anyPath, permissions).map((parts) => `${parts.join('\0')}\0`),
  ),
  fc.tuple(
    fc.constantFrom(4, 5),
    fc.tuple(anyPath, name).map((parts) => `${parts.join('\0')}\0`),
  ),
  fc.tuple(fc.constantFrom(6, 21), fc.constant('\0')),
  fc.tuple(fc.constantFrom(7), fc.constantFrom('T\0', 'F\0')),
  fc.tuple(
    fc.constantFrom(8),
    domid.map((id) => `${id}\x001\x002\0`),
  ),
  fc.tuple(
    fc.constantFrom(9, 18),
    domid.map((id) => `${id}\0`),
  ),
  fc.tuple(
    fc.constantFrom(19),
    fc.tuple(domid, domid).map(([a, b]) => `${a}\0${b}\0`),
  ),
  fc.tuple(
    fc.nat({ max: 40 }),
    fc.string({ unit: 'binary', maxLength: 12 }).map((text) => text.replace(/[^\0-\xff]/gu, '?')),
  ),
);
const wish: fc.Arbitrary<XenstoreCommand> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(message, fc.constantFrom(0, 1, 2, 3, FIRST_SOCKET), fc.constantFrom(0, 0, 1, 2))
      .map(([[type, payload], conn, tx]) => decode(type, tx, payload, conn)),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom('xenstore.domain_gone' as const, 'xenstore.domain_shutdown' as const, 'xenstore.connect' as const),
      domid,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constantFrom('xenstore.disconnect' as const, 'xenstore.ignore_connection' as const),
      conn: fc.constantFrom(0, 1, FIRST_SOCKET + 1),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constantFrom('xenstore.connection_blocks' as const, 'xenstore.connection_drains' as const),
      conn: fc.constantFrom(0, 1, 2, FIRST_SOCKET),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('xenstore.tick' as const), ms: fc.nat({ max: 2000 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('xenstore.set_quota' as const),
      conn: fc.constant(0),
      tx: fc.constant(0),
      domid: fc.integer({ min: -1, max: 3 }),
      name: fc.constantFrom(...quotaNames),
      value: fc.nat({ max: 50 }),
    }),
  },
);
const introduced: readonly XenstoreCommand[] = [1, 2].flatMap((id): XenstoreCommand[] => [
  { type: 'xenstore.introduce', conn: 0, tx: 0, domid: id, mfn: 1, port: 2 },
  { type: 'xenstore.mkdir', conn: 0, tx: 0, path: `/local/domain/${id}` },
  { type: 'xenstore.set_perms', conn: 0, tx: 0, path: `/local/domain/${id}`, perms: [`n${id}`] },
]);
const history = fc.array(wish, { maxLength: 50, size: 'max' });

function started(memory = small.quotas.memory): Server {
  const server = new Server({ ...small, quotas: { ...small.quotas, memory } });
  server.open();
  for (const command of introduced) server.submit(command, 1, 0);
  return server;
}

test.each(['4.17', '4.22'] as const)('xenstore %s: invariants hold after any requests of any domains', (version) => {
  fc.assert(
    fc.property(history, (commands) => {
      const server = new Server({ ...profiles[version], quotas: small.quotas });
      server.open();
      for (const command of [...introduced, ...commands]) {
        server.submit(command, 1, 0);
        expect([...server.violations()], JSON.stringify(command)).toEqual([]);
      }
    }),
    { numRuns: 200, ...replay },
  );
});

test('xenstore: the facts alone lead to the same store, and so does a snapshot', () => {
  fc.assert(
    fc.property(history, history, (commands, more) => {
      const server = started();
      for (const command of commands) server.submit(command, 1, 0);
      const restored = new XenStore(new Journal(), small);
      restored.restore(server.store.snapshot());
      expect([...restored.diff(server.store)]).toEqual([]);
      expect(restored.digest()).toBe(server.store.digest());

      const before = server.facts.length;
      for (const command of more) server.submit(command, 1, 0);
      const folded = new XenStore(new Journal(), small);
      for (const fact of server.facts) evolve(folded, fact, 0);
      for (const fact of server.facts.slice(before)) evolve(restored, fact, 0);
      for (const store of [folded, restored]) {
        expect([...store.diff(server.store)]).toEqual([]);
        expect(store.digest()).toBe(server.store.digest());
      }
    }),
    { numRuns: 200, ...replay },
  );
});

test('xenstore: undoing any history restores the store, its order of children included', () => {
  fc.assert(
    fc.property(history, history, (commands, undone) => {
      const server = started();
      const { store } = server;
      for (const command of commands) server.submit(command, 1, 0);
      const digest = store.digest();
      const listed = [...store.ls()];
      const mark = store.journal.mark();
      for (const command of undone) server.submit(command, 1, 0);
      store.digest();
      store.journal.rollback(mark);
      expect([...store.ls()]).toEqual(listed);
      expect(store.digest()).toBe(digest);
      expect([...server.violations()]).toEqual([]);

      // What is decided after it is decided as if nothing had been.
      const other = started();
      for (const command of [...commands, ...undone]) other.submit(command, 1, 0);
      for (const command of undone) server.submit(command, 1, 0);
      expect([...store.diff(other.store)]).toEqual([]);
      expect(store.digest()).toBe(other.store.digest());
    }),
    { numRuns: 200, ...replay },
  );
});

test('xenstore: while a client does not read, it misses only what already waits for it, and then nothing', () => {
  const change = fc.record({
    op: fc.constantFrom('write' as const, 'rm' as const, 'block' as const, 'drain' as const),
    path,
  });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 60, size: 'max' }), (changes) => {
      // The same history twice: before a client that always reads, and before one that sometimes does not.
      const [reading, lazy] = [new Server(), new Server()];
      for (const server of [reading, lazy]) {
        for (let i = 0; i < 2; i++) server.open();
        server.submit({ type: 'xenstore.watch', conn: FIRST_SOCKET, path: '/', token: 't' }, 1, 0);
      }
      let waits: Set<string> | undefined;
      for (const { op, path: at } of changes) {
        if (op === 'block' || op === 'drain') {
          const type = op === 'block' ? 'xenstore.connection_blocks' : 'xenstore.connection_drains';
          lazy.submit({ type, conn: FIRST_SOCKET }, 1, 0);
          waits = op === 'block' ? (waits ?? new Set()) : undefined;
          continue;
        }
        const where = { conn: FIRST_SOCKET + 1, tx: 0, path: at } as const;
        const command: XenstoreCommand =
          op === 'rm' ? { type: 'xenstore.rm', ...where } : { type: 'xenstore.write', ...where, value: '' };
        const heard = fired(reading.submit(command, 1, 0));
        const got = fired(lazy.submit(command, 1, 0));
        expect(got).toEqual(heard.filter((event) => !waits?.has(JSON.stringify(event))));
        for (const event of heard) waits?.add(JSON.stringify(event));
        expect([...lazy.violations()]).toEqual([]);
      }
    }),
    { numRuns: 200, ...replay },
  );
});

test('xenstore: a guest never has more than its quotas, whatever it asks for; what dom0 gives it does not count', () => {
  const requests = fc.array(
    message.filter(([type]) => [1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 21].includes(type)),
    { maxLength: 60, size: 'max' },
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(requests, fc.nat({ max: 3 })), { maxLength: 3 }),
      fc.constantFrom(250, 5000),
      (rounds, memory) => {
        const server = started(memory);
        const { store } = server;
        for (const [messages, tx] of rounds)
          for (const [type, payload] of messages) {
            server.submit(decode(type, tx, payload, 1), 1, 0);
            const ring = store.connections.get(1)!;
            expect(store.tree.countOf(1)).toBeLessThanOrEqual(small.quotas.nodes);
            expect(ring.watches.size).toBeLessThanOrEqual(store.limitOf(1, 'watches'));
            expect(ring.transactions.size).toBeLessThanOrEqual(store.limitOf(1, 'transactions'));
            expect(store.memoryOf(1)).toBeLessThan(memory);
            for (const node of store.tree.ownedBy(1)) {
              expect(node.perms.length).toBeLessThanOrEqual(store.limitOf(1, 'node-permissions'));
              expect(24 + 8 * node.perms.length + node.value.length + node.childBytes).toBeLessThanOrEqual(
                store.limitOf(1, 'node-size'),
              );
            }
          }
      },
    ),
    { numRuns: 300, ...replay },
  );
});
