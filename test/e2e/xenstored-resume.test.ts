// xenolog xenstored goes on where it was stopped or killed, and its files read as one run.
import { spawn } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { lockOf } from '../../adapters/file-store/lock.ts';
import { openLog, placeOf } from '../../adapters/index.ts';
import { Log, LogWriter } from '../../events/log.ts';
import { stateLayout } from '../../replay/layout.ts';
import { bytesWithStart, OtherStart } from '../starts.ts';
import { main, root, scratchDirectory, xenolog } from './program.ts';
import { Client, Daemon } from './xenstored-daemon.ts';

const scratch = scratchDirectory();
const daemons: Daemon[] = [];
let count = 0;
/** Writes so many times, and is told that the last of them is safe. */
async function writeMany(client: Client, count: number): Promise<void> {
  let last = 0;
  for (let i = 0; i < count; i++) last = client.send('WRITE', `/n/${i % 300}|${'v'.repeat(i % 90)}${i}`);
  expect(await client.reply(last)).toBe('WRITE OK|');
}
function newDirectory(): string {
  const own = join(scratch, `${count++}`);
  mkdirSync(own);
  return own;
}
async function start(directory: string, ...options: readonly string[]): Promise<Daemon> {
  const daemon = await Daemon.start(directory, ...options);
  daemons.push(daemon);
  return daemon;
}
afterAll(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL');
});
const filesIn = (directory: string): string[] =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.xlog'))
    .sort((a, b) => numberOf(a) - numberOf(b));
const numberOf = (name: string): number => Number(/^run\.(\d+)/.exec(name)?.[1] ?? 1);

/** All four replays of a run agree, from its first step to its last. */
function expectReplays(run: string): void {
  const { status, stdout, stderr } = xenolog('replay', run, '--json');
  expect([stderr, status]).toEqual(['', 0]);
  expect(JSON.parse(stdout).closed).toBe(true);
}

/** Where the run is: in the daemon's own directory, or in a database there. */
const places = {
  files: (directory: string) => ({ run: directory, state: [] }),
  lmdb: (directory: string) => {
    const run = `lmdb:${join(directory, 'db')}#store`;
    return { run, state: ['--state', run] };
  },
} as const;

test.each([
  ['SIGKILL', 'files'],
  ['SIGTERM', 'files'],
  ['SIGKILL', 'lmdb'],
  ['SIGTERM', 'lmdb'],
] as const)('after %s it goes on as it was (%s), without those who were connected', async (signal, where) => {
  const directory = newDirectory();
  const { run, state } = places[where](directory);
  const first = await start(directory, '--test-domains', '10', ...state);
  const tool = await first.open();
  await tool.ask('INTRODUCE', '5|1|2|');
  await tool.ask('WRITE', '/local/domain/5|');
  await tool.ask('SET_PERMS', '/local/domain/5|n5|');
  await tool.ask('CONTROL', 'quota|set|watches|2|');
  const [guest, dom0] = [await first.open('dom5.sock'), await first.open('dom0.sock')];
  expect(await guest.ask('WRITE', 'a|\xff1')).toBe('WRITE OK|');
  expect(await dom0.ask('WATCH', '/local|mine|')).toBe('WATCH OK|');
  await tool.ask('WATCH', '/local|tool|');
  const tx = Number(/\d+/.exec(await tool.ask('TRANSACTION_START', '|'))![0]);
  await tool.ask('WRITE', '/never|1', tx);
  const quotas = await tool.ask('CONTROL', 'quota|');
  const used = await tool.ask('CONTROL', 'quota|5|');
  await first.stop(signal);

  const second = await start(directory, '--test-domains', '10', ...state);
  const [again, ring] = [await second.open(), await second.open('dom0.sock')];
  expect(await again.ask('READ', '/local/domain/5/a|')).toBe('READ \xff1');
  expect(await again.ask('READ', '/never|')).toBe('ERROR ENOENT|');
  expect([await again.ask('CONTROL', 'quota|'), await again.ask('CONTROL', 'quota|5|')]).toEqual([quotas, used]);
  expect(await again.ask('IS_DOMAIN_INTRODUCED', '5|')).toBe('IS_DOMAIN_INTRODUCED T|');
  // dom0's own connection is a ring, and has its watch still; the tool's went with its socket.
  const guestAgain = await second.open('dom5.sock');
  expect(await guestAgain.ask('WRITE', 'a|2')).toBe('WRITE OK|');
  expect(await ring.ask('WATCH', '/local|mine|')).toBe('ERROR EEXIST|');
  expect(ring.inbox.map(({ body }) => body)).toEqual(['/local/domain/5/a|mine|']);
  expect(again.inbox).toEqual([]);
  expect(await second.stop()).toBe(0);

  expect(openLog(run).parts).toBe(2);
  expectReplays(run);
  const steps = [...openLog(run).steps()];
  expect(steps.map(({ seq }) => seq)).toEqual(steps.map((_, seq) => seq));
  expect(steps.every(({ time }, i) => i === 0 || time >= steps[i - 1]!.time)).toBe(true);
});

test('in a database: many parts, read while they are written, one daemon, and a checkpoint to come back from', async () => {
  const directory = newDirectory();
  const { run, state } = places.lmdb(directory);
  const daemon = await start(directory, '--rotate', '100K', ...state);
  const client = await daemon.open();
  await writeMany(client, 20_000);
  // Somebody looks at it while it is written; nobody else writes it.
  expect(xenolog('log', 'check', run)).toMatchObject({ status: 1, stdout: expect.stringContaining('it was cut') });
  const shown = xenolog('inspect', run, '--at', '5301', '--xenstore', '/n/299');
  expect(shown.stdout).toMatch(/5099"/);
  const refused = expect.stringMatching(new RegExp(`^xenolog: process ${daemon.pid} is writing this run .*\n$`));
  expect(xenolog('xenstored', '--socket', join(directory, 'other'), ...state)).toMatchObject({ status: 1, stderr: refused });
  for (const what of ['repair', 'compact', 'remove'])
    for (const one of [run, `${run}#2`]) expect(xenolog('log', what, one)).toMatchObject({ status: 1, stderr: refused });
  await daemon.stop('SIGKILL');

  const parts = openLog(run).parts;
  expect(parts).toBeGreaterThan(2);
  const again = await start(directory, '--rotate', '100K', ...state);
  expect(await (await again.open()).ask('READ', '/n/299|')).toMatch(/v19799$/);
  expect(await again.stop()).toBe(0);
  expect(openLog(run).parts).toBe(parts + 1);
  expectReplays(run);
  expectReplays(`${run}#3`);
  // In files, and as one, it is the same run.
  const file = join(directory, 'run.xlog');
  expect(xenolog('log', 'merge', run, '-o', file)).toMatchObject({ status: 0 });
  expect(xenolog('diff', run, file)).toMatchObject({ status: 0 });
  // What stands before the last part is not needed to go on.
  const { path, files } = placeOf(run);
  files.unlink(path);
  const without = await start(directory, ...state);
  expect(await (await without.open()).ask('READ', '/n/299|')).toMatch(/v19799$/);
  expect(await without.stop()).toBe(0);
  expectReplays(`${run}#${parts}`);
}, 120_000);

test('a run over many files reads as one, whichever of them is named', async () => {
  const directory = newDirectory();
  const daemon = await start(directory, '--rotate', '100K');
  const client = await daemon.open();
  await writeMany(client, 14_000);
  expect(await daemon.stop()).toBe(0);
  const files = filesIn(directory);
  expect(files.length).toBeGreaterThan(1);
  expectReplays(directory);

  // Each file starts from a checkpoint, so that the first may be gone: then it is the run from there on.
  const [steps, closed] = [14_002, true];
  for (const [i, name] of files.entries()) {
    const log = openLog(join(directory, name));
    expect([log.length, log.end !== undefined, log.parts]).toEqual([steps, closed, files.length - i]);
    const check = xenolog('log', 'check', join(directory, name));
    expect([check.stderr, check.status]).toEqual(['', 0]);
  }
  expectReplays(join(directory, files.at(-1)!));
  const from = xenolog('events', directory, '--from', '4999', '--limit', '1').stdout;
  expect(from).toMatch(/^#4999 .* xenstore\.node_(written|created) /);
  const shown = xenolog('inspect', directory, '--at', '5301', '--xenstore', '/n/299');
  expect(shown.stdout).toMatch(/5099"/);

  // The files before the last are not needed to go on, whether all of them were put away or one was lost.
  const read = async (): Promise<string> => {
    const again = await start(directory);
    const reader = await again.open();
    const value = await reader.ask('READ', '/n/199|');
    expect(await again.stop()).toBe(0);
    return value;
  };
  const value = `READ ${'v'.repeat(13_999 % 90)}13999`;
  expect(await read()).toBe(value);
  expect(filesIn(directory).length).toBe(files.length + 1);
  unlinkSync(join(directory, 'run.2.xlog'));
  const gap = xenolog('log', 'check', directory);
  expect([gap.status, gap.stderr]).toEqual([
    1,
    expect.stringMatching(/files behind .*run\.xlog are missing, up to .*run\.3\.xlog: it can be read from there on/),
  ]);
  expect(await read()).toBe(value);
  expect(filesIn(directory).length).toBe(files.length + 1);
  unlinkSync(join(directory, 'run.xlog'));
  expectReplays(directory);
  expect(await read()).toBe(value);
  expect(JSON.parse(xenolog('log', 'check', directory, '--json').stdout)).toMatchObject({ closed: true, torn: null });
  // One that does not start from a checkpoint is not begun anew over.
  for (const name of filesIn(directory)) unlinkSync(join(directory, name));
  writeFileSync(join(directory, 'run.2.xlog'), readFileSync(join(root, 'test/golden/logs/v2.xlog')));
  expect(xenolog('xenstored', '--socket', join(directory, 's'), '--state', directory)).toMatchObject({ status: 2 });
  expect(filesIn(directory)).toEqual(['run.2.xlog']);
});

test('a run that is being written is repaired and made one by nobody else, whichever of its files is named', async () => {
  const directory = newDirectory();
  const daemon = await start(directory, '--rotate', '100K');
  const client = await daemon.open();
  await writeMany(client, 9000);
  const files = filesIn(directory);
  expect(files.length).toBeGreaterThan(1);
  for (const name of files)
    for (const command of ['repair', 'compact'])
      expect(xenolog('log', command, join(directory, name))).toMatchObject({
        status: 1,
        stderr: expect.stringMatching(new RegExp(`^xenolog: process ${daemon.pid} is writing this run`)),
      });
  expect(await daemon.stop()).toBe(0);
  expect(xenolog('log', 'check', directory)).toMatchObject({ status: 0, stderr: '' });
});

test('it goes on from the last file of another version alone, or says why it can not', async () => {
  const directory = newDirectory();
  const daemon = await start(directory, '--rotate', '100K');
  const client = await daemon.open();
  await writeMany(client, 8_000);
  expect(await daemon.stop()).toBe(0);
  const [file, ...before] = filesIn(directory).toReversed() as [string, ...string[]];
  expect(before.length).toBeGreaterThan(0);
  for (const name of before) unlinkSync(join(directory, name));
  const path = join(directory, file);
  const log = new Log(readFileSync(path));
  const other = (columns: (of: OtherStart) => void): Uint8Array => {
    const start = new OtherStart(log);
    columns(start);
    return bytesWithStart(log, start.bytes());
  };

  const unreadable = other((start) =>
    start.setTables(
      [...start.layout.tables, ['old', 1, [['much', 'u8']]]],
      [...start.tables, { chunks: [{ rows: 1, columns: [Uint8Array.of(7)] }], owners: [[0]], used: 1, spare: [] }],
    ),
  );
  writeFileSync(path, unreadable);
  const refusal =
    /^xenolog: the log starts at step \d+, and its checkpoint can not be used: the table old has gone \([^)]*\): bring the files before it, or .*\n$/;
  const { status, stderr } = xenolog('xenstored', '--socket', join(directory, 's'), '--state', directory);
  expect([status, stderr]).toEqual([2, expect.stringMatching(refusal)]);
  const replay = xenolog('replay', directory);
  expect([replay.status, replay.stderr]).toEqual([2, expect.stringMatching(refusal)]);
  expect(readFileSync(path).equals(unreadable)).toBe(true);
  expect(filesIn(directory)).toEqual([file]);

  const readable = other((start) => {
    start.setTables(start.layout.tables.toReversed(), start.tables.toReversed());
    start.setColumns(
      'domain',
      start
        .columnsOf('domain')
        .toReversed()
        .filter(({ of }) => of !== 'ssidref'),
    );
    start.without('trace').without('vif.rx');
  });
  writeFileSync(path, readable);
  const next = await Daemon.start(directory);
  daemons.push(next);
  const again = await next.open();
  expect(await again.ask('READ', '/n/299|')).toMatch(/7799$/);
  expect(await again.ask('WRITE', '/n/299|new')).toBe('WRITE OK|');
  expect(await next.stop()).toBe(0);
  expect(filesIn(directory)).toEqual([file, `run.${before.length + 2}.xlog`]);
  expectReplays(directory);
  // What it goes on in starts from a checkpoint of ours.
  expect(new OtherStart(new Log(readFileSync(join(directory, `run.${before.length + 2}.xlog`)))).layout).toEqual(stateLayout());
});

test('a second daemon does not write the same run', async () => {
  const directory = newDirectory();
  const daemon = await start(directory);
  const { status, stderr } = xenolog('xenstored', '--socket', join(directory, 'other'), '--state', directory);
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(new RegExp(`^xenolog: process ${daemon.pid} is writing this run .*\n$`)),
  ]);
  expect(await daemon.stop()).toBe(0);
});

test('a run is gone on with as the version that it is', async () => {
  const directory = newDirectory();
  expect(await (await start(directory, '--xen-version', '4.22')).stop()).toBe(0);
  const { status, stderr } = xenolog(
    'xenstored',
    '--socket',
    join(directory, 's'),
    '--state',
    directory,
    '--xen-version',
    '4.17',
  );
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^xenolog: the run is one of xenstored 4\.22 \(--xen-version 4\.17\): /),
  ]);
  const again = await start(directory);
  const tool = await again.open();
  expect(await tool.ask('GET_FEATURE', '|')).toMatch(/^GET_FEATURE \d/);
  expect(await again.stop()).toBe(0);
});

test('a log that this code would not have written is refused, with the step', async () => {
  const directory = newDirectory();
  const daemon = await start(directory);
  const tool = await daemon.open();
  await tool.ask('WRITE', '/a|1');
  await tool.ask('READ', '/a|');
  await daemon.stop();
  const path = join(directory, 'run.xlog');
  const log = new Log(readFileSync(path));
  const pieces: Uint8Array[] = [];
  const writer = new LogWriter(log.header, (bytes) => pieces.push(bytes.slice()));
  for (const step of log.steps())
    writer.append(step.command.type === 'xenstore.read' ? { ...step, outcome: { ok: false, errno: 'EACCES' } } : step);
  writer.end(log.end!);
  writeFileSync(path, Buffer.concat(pieces));
  const { status, stderr } = xenolog('xenstored', '--socket', join(directory, 's'), '--state', directory);
  expect([status, stderr]).toEqual([1, expect.stringMatching(/^xenolog: .* step 2: decided otherwise .*\n$/)]);
  expect(filesIn(directory)).toEqual(['run.xlog']);
});

test('a file that was never begun is no file, and one that belongs to another run is not written over', async () => {
  const directory = newDirectory();
  const daemon = await start(directory);
  await (await daemon.open()).ask('WRITE', '/a|1');
  await daemon.stop('SIGKILL');
  // Killed as it began a next file: nothing of the header, or half of it.
  writeFileSync(join(directory, 'run.2.xlog'), '');
  writeFileSync(join(directory, 'run.3.xlog'), readFileSync(join(directory, 'run.xlog')).subarray(0, 500));
  const next = await start(directory);
  expect(await (await next.open()).ask('READ', '/a|')).toBe('READ 1');
  expect(await next.stop()).toBe(0);
  expect(filesIn(directory)).toEqual(['run.xlog', 'run.2.xlog']);

  const stranger = readFileSync(join(directory, 'run.xlog'));
  writeFileSync(join(directory, 'run.3.xlog'), stranger);
  const { status, stderr } = xenolog('xenstored', '--socket', join(directory, 's'), '--state', directory);
  expect([status, stderr]).toEqual([2, expect.stringMatching(/^xenolog: this file belongs to another run \(.*run\.3\.xlog\): /)]);
  expect(readFileSync(join(directory, 'run.3.xlog')).equals(stranger)).toBe(true);
});

/** Kills of a daemon under load; XENOLOG_KILLS=1000 for more. */
const KILLS = Number(process.env['XENOLOG_KILLS'] ?? 6);

test.each(['files', 'lmdb'] as const)(
  'killed under load again and again (%s), it never loses what it has answered',
  { timeout: 20_000 + KILLS * 5000 },
  async (where) => {
    const directory = newDirectory();
    const { run, state } = places[where](directory);
    const [socket, options] = [join(directory, 'socket'), ['--rotate', '200K', ...state]] as const;
    const acknowledged = new Map<string, number>();
    let answered = 0;
    for (let round = 0; round < KILLS; round++) {
      const process_ = spawn(process.execPath, [main, 'xenstored', '--socket', socket, '--state', directory, ...options], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await new Promise((resolve) => process_.stdout.once('data', resolve));
      const client = await Client.open(socket);
      for (const [path, value] of acknowledged) {
        const [, read] = /^READ (\d+)$/.exec(await client.ask('READ', `${path}|`))!;
        expect(Number(read), path).toBeGreaterThanOrEqual(value);
      }
      const sent = new Map<number, [path: string, value: number]>();
      const timer = setTimeout(() => process_.kill('SIGKILL'), 30 + ((round * 37) % 150));
      for (let value = round * 1_000_000; !client.closed; ) {
        for (let i = 0; i < 64; i++, value++)
          sent.set(client.send('WRITE', `/k/${value % 50}|${value}`), [`/k/${value % 50}`, value]);
        await client.news();
        for (const { rid, body } of client.inbox.splice(0)) {
          const write = sent.get(rid);
          if (!write) continue;
          expect(body).toBe('OK|');
          acknowledged.set(...write);
          answered++;
        }
      }
      clearTimeout(timer);
    }
    expect(answered).toBeGreaterThan(KILLS * 50);
    const last = await start(directory, ...state);
    const client = await last.open();
    for (const [path, value] of acknowledged)
      expect(Number((await client.ask('READ', `${path}|`)).slice(5))).toBeGreaterThanOrEqual(value);
    expect(await last.stop()).toBe(0);
    expectReplays(run);
    const { path, files } = placeOf(run);
    expect(files.read(lockOf(path))).toBeUndefined();
  },
);
