// The socket against the same daemon without one: whatever is sent, in whatever pieces, the same bytes come back.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { requestTypes } from '../../events/xenstore.ts';
import { Dispatcher } from '../../machines/index.ts';
import { defaultHost } from '../../src/host-config.ts';
import { Server } from '../../tools/conformance/xenstore-server.ts';
import { XenstoreSockets } from './server.ts';

const directory = mkdtempSync(join(tmpdir(), 'xenolog-socket-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

let count = 0;
async function serve(): Promise<{ sockets: XenstoreSockets; path: string; failures: unknown[] }> {
  const path = join(directory, `${count++}`);
  const dispatcher = new Dispatcher({ config: defaultHost, seed: 1, images: [] });
  const failures: unknown[] = [];
  const sockets = new XenstoreSockets({ dispatcher, clock: () => 0, fail: (error) => failures.push(error) });
  await sockets.listen(path);
  return { sockets, path, failures };
}
const open = (path: string): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(path, () => resolve(socket));
    socket.once('error', reject);
  });

/** Everything that comes until the other side closes. */
const all = (socket: Socket): Promise<Buffer> =>
  new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', () => {});
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });

function frame(type: number, rid: number, tx: number, body: string): Buffer {
  const bytes = Buffer.alloc(16 + body.length);
  for (const [i, value] of [type, rid, tx, body.length].entries()) bytes.writeUInt32LE(value, i * 4);
  bytes.write(body, 16, 'latin1');
  return bytes;
}

const path = fc.constantFrom('/a', '/a/b', '/c', 'rel', '/tool', '/', '//', '');
const byte = fc.nat({ max: 255 }).map((code) => String.fromCharCode(code));
const request = fc.oneof(
  fc.tuple(
    fc.constantFrom('READ', 'DIRECTORY', 'MKDIR', 'RM', 'GET_PERMS'),
    path.map((at) => `${at}\0`),
  ),
  fc.tuple(
    fc.constant('WRITE'),
    fc.tuple(path, fc.string({ unit: byte, maxLength: 20 })).map((parts) => parts.join('\0')),
  ),
  fc.tuple(
    fc.constantFrom('WATCH', 'UNWATCH'),
    path.map((at) => `${at}\0t\0`),
  ),
  fc.tuple(fc.constant('TRANSACTION_START'), fc.constant('\0')),
  fc.tuple(fc.constant('TRANSACTION_END'), fc.constantFrom('T\0', 'F\0')),
  fc.tuple(fc.constantFrom(...requestTypes), fc.string({ unit: byte, maxLength: 9 })),
);
/** INTRODUCE would make a ring, which this host has no page for. */
const requests = fc.array(
  fc.tuple(
    request.filter(([op]) => op !== 'INTRODUCE'),
    fc.constantFrom(0, 0, 0, 1, 2),
  ),
  { maxLength: 40, size: 'max' },
);

test('any requests, in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(requests, fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }), async (messages, sizes) => {
      const reference = new Server();
      const client = reference.open()!;
      const bytes = messages.map(([[op, body], tx], i) =>
        frame(requestTypes.indexOf(op as (typeof requestTypes)[number]), i + 1, tx, body),
      );
      for (const [i, [[op, body], tx]] of messages.entries())
        client.send(requestTypes.indexOf(op as (typeof requestTypes)[number]), i + 1, tx, body);
      const expected = Buffer.concat(client.inbox.map(({ type, rid, tx, body }) => frame(type, rid, tx, body)));

      const { sockets, path: at, failures } = await serve();
      const socket = await open(at);
      socket.setNoDelay(true);
      const received = all(socket);
      const stream = Buffer.concat(bytes);
      for (let from = 0, i = 0; from < stream.length; i++) {
        const to = from + sizes[i % sizes.length]!;
        socket.write(stream.subarray(from, to));
        from = to;
        if (i % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      socket.end();
      expect(await received).toEqual(expected);
      expect(failures).toEqual([]);
      sockets.close();
    }),
    { numRuns: 60 },
  );
});

test('any bytes at all: others are served as before', async () => {
  const { sockets, path: at, failures } = await serve();
  const good = await open(at);
  await fc.assert(
    fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 200, size: 'max' }), { maxLength: 4 }), async (chunks) => {
      const bad = await open(at);
      bad.on('error', () => {});
      for (const chunk of chunks) bad.write(chunk);
      const answer = new Promise<Buffer>((resolve) => good.once('data', resolve));
      good.write(frame(requestTypes.indexOf('GET_DOMAIN_PATH'), 7, 0, '0\0'));
      expect((await answer).subarray(16).toString()).toBe('/local/domain/0\0');
      bad.destroy();
    }),
    { numRuns: 100 },
  );
  expect(failures).toEqual([]);
  good.destroy();
  sockets.close();
});
