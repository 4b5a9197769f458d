// Runs in a database, as a person has them: the program does with them what it does with files.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openCache } from '../../adapters/file-store/cache-file.ts';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { openEnvironment, runsIn } from '../../adapters/lmdb-store/database.ts';
import { LmdbStore, readLmdb, repairLmdb } from '../../adapters/lmdb-store/lmdb-store.ts';
import { loadScenario } from '../../adapters/load-scenario.ts';
import { openLog, sha256 } from '../../adapters/log-file.ts';
import { play } from '../../adapters/play.ts';
import { placeFor, placeOf } from '../../adapters/run-place.ts';
import { STEPS_PER_BLOCK } from '../../events/log.ts';
import { SECOND } from '../../events/units.ts';
import { Recording } from '../../machines/index.ts';
import { encodeStart, resumeHost } from '../../replay/index.ts';
import { SCENARIO } from '../livecd.ts';
import { livecd, scratchDirectory, xenolog } from './program.ts';
import { closedFile, end, fill, header } from './store-run.ts';

const directory = scratchDirectory();
const BLOCK = STEPS_PER_BLOCK;

describe('runs in a database', () => {
  const place = join(directory, 'many');
  const stored = (run: string) => new LmdbStore({ directory: place, run, header, durability: 'batch' });
  const lengths = [
    ['a', 5],
    ['a b', BLOCK + 7],
    ['a-wal', 3],
    ['z', 0],
  ] as const;
  test('are apart, and each is byte for byte what a file would have', () => {
    for (const [run, steps] of lengths) {
      const store = stored(run);
      fill(store, 0, steps);
      store.acknowledge();
      store.close(end(steps));
      store.release();
    }
    const environment = openEnvironment(place);
    expect(runsIn(environment.bytes)).toEqual(['a', 'a b', 'a-wal', 'z']);
    environment.close();
    for (const [run, steps] of lengths) expect(readLmdb(place, run)!.tail(0)).toEqual(closedFile(steps));
    expect(readLmdb(place, 'b')).toBeUndefined();
  });
  test('one that is written a second time is replaced, and no other', () => {
    const store = stored('a b');
    fill(store, 0, 3);
    store.close(end(3));
    expect(readLmdb(place, 'a b')!.tail(0)).toEqual(closedFile(3));
    expect(readLmdb(place, 'a')!.length).toBe(5);
    expect(repairLmdb(place, 'a b')).toEqual({ steps: 3, folded: 0, cut: 0, closed: true });
  });
  test('have one writer each, and may be written in several modes', () => {
    const first = stored('c');
    const other = new LmdbStore({ directory: place, run: 'd', header, durability: 'strict' });
    expect(() => stored('c')).toThrow(`process ${process.pid} is writing this run`);
    fill(first, 0, 2);
    fill(other, 0, 4);
    expect([first.seal(), other.seal()]).toEqual([
      { ok: true, steps: 2 },
      { ok: true, steps: 4 },
    ]);
  });
  test('to look for one makes no database, and an address that says nothing is refused in a line', () => {
    const nowhere = join(directory, 'nowhere');
    for (const [why, ...args] of [
      ['there is no such database', 'events', `lmdb:${nowhere}#a`],
      ['there is no such database', 'log', 'info', `lmdb:${nowhere}`],
      ['there is no such database', 'log', 'repair', `lmdb:${nowhere}#a`],
      ['there is no such database', 'log', 'remove', `lmdb:${nowhere}#a`],
      ['there is no such file', 'events', `lmdb:${place}#nobody`],
      ['there is no such', 'log', 'repair', `lmdb:${place}#nobody`],
      ['there is no such', 'log', 'compact', `lmdb:${place}#nobody`],
      ['there is no such', 'log', 'remove', `lmdb:${place}#nobody`],
      ['names a database and no run', 'replay', `lmdb:${place}`],
      ['names a database and no run', 'xenstored', '--socket', join(directory, 's'), '--state', `lmdb:${nowhere}`],
      ['names no directory', 'replay', 'lmdb:#a'],
      ['the number of a part', 'replay', `lmdb:${place}#a#b`],
      ['not written by itself', 'run', livecd, '-o', `lmdb:${place}#a#2`],
    ] as const)
      expect([args, xenolog(...args)]).toMatchObject([
        args,
        { status: 2, stdout: '', stderr: expect.stringMatching(new RegExp(`^xenolog: .*${why}.*\n$`)) },
      ]);
    expect(existsSync(nowhere)).toBe(false);
  }, 60_000);
  test('what is no database is refused in a line', () => {
    const broken = join(directory, 'broken');
    const data = join(broken, 'data.mdb');
    const whole = readFileSync(join(place, 'data.mdb'));
    mkdirSync(broken);
    for (const bytes of [
      new Uint8Array(0),
      whole.subarray(0, 100),
      whole.subarray(0, 8192),
      whole.toReversed(),
      whole.map(() => 7),
    ]) {
      writeFileSync(data, bytes);
      expect(xenolog('events', `lmdb:${broken}#a`)).toMatchObject({
        status: 2,
        stderr: expect.stringMatching(/^xenolog: it is no LMDB database, or a damaged one \(.*data\.mdb\): .*\n$/),
      });
    }
    writeFileSync(data, whole);
    expect(xenolog('log', 'check', `lmdb:${broken}#a`)).toMatchObject({ status: 0 });
    expect(xenolog('run', livecd, '--quiet', '-o', `lmdb:${data}#a`)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^xenolog: can not open the database: .*\n$/),
    });
  }, 60_000);
  test('written by the program are the file that it writes', () => {
    const address = `lmdb:${join(directory, 'cli')}#livecd`;
    const file = join(directory, 'cli.xlog');
    for (const to of [address, file])
      expect(xenolog('run', livecd, '--until', '10s', '--quiet', '-o', to)).toMatchObject({ status: 0 });
    expect(readLmdb(join(directory, 'cli'), 'livecd')!.tail(0)).toEqual(new Uint8Array(readFileSync(file)));
  }, 60_000);
});

describe('a run of several parts', () => {
  const file = join(directory, 'parts.xlog');
  const database = `lmdb:${join(directory, 'parts')}`;
  const address = `${database}#run`;
  /** The Live CD's first 20 seconds in three parts, with a checkpoint beside them. */
  function record(name: string): void {
    const { header, images, run } = loadScenario(SCENARIO);
    const place = placeFor(name, 'batch');
    const store = new FileStore({ ...place, header, durability: 'batch' });
    const recording = new Recording({ header, images, hash: sha256, store });
    const playing = play(recording.dispatcher, run, 20 * SECOND);
    for (let n = 0; !playing.next().done; n++) if (n < 2) expect(recording.rotate(encodeStart)).toBe(true);
    const { dispatcher } = recording;
    const { cache, close } = openCache(place.path, openLog(name), 'write', place.files.cache);
    cache.write(dispatcher.checkpoint(), dispatcher.digest());
    close();
    recording.finish();
  }
  beforeAll(() => {
    for (const name of [file, address]) record(name);
  }, 60_000);
  const later = new RegExp(`${file.replace('.xlog', '')}\\.(\\d)\\.xlog`, 'g');
  /** What the program says, with the name of the run left out. */
  const says = (name: string, ...args: readonly string[]): unknown => {
    const { status, stdout, stderr } = xenolog(...args.map((arg) => (arg === 'RUN' ? name : arg)));
    const same = (text: string) =>
      text
        .replaceAll(name, 'RUN')
        .replaceAll(later, 'RUN $1')
        .replaceAll(/RUN#(\d)/g, 'RUN $1');
    return { status, stdout: same(stdout).replaceAll(/\d+\.\d\ds/g, 'TIME'), stderr: same(stderr) };
  };

  test.each<[number, string[]]>([
    [0, ['log', 'info', 'RUN']],
    [0, ['log', 'info', 'RUN', '--json']],
    [0, ['log', 'check', 'RUN']],
    [0, ['log', 'check', 'RUN', '--json']],
    [0, ['log', 'repair', 'RUN']],
    [0, ['replay', 'RUN']],
    [0, ['events', 'RUN', '--from', '1000', '--limit', '20']],
    [0, ['inspect', 'RUN', '--at', '15s']],
    [0, ['inspect', 'RUN', '--xenstore', '/local/domain']],
    [0, ['inspect', 'RUN', '--at', '1200', '--memory', '0:1']],
    [0, ['why', 'RUN', '1500']],
    [0, ['export', 'RUN']],
    [0, ['xl', '--run', 'RUN', '--at', '18s', 'list']],
    [0, ['diff', 'RUN', file]],
    [2, ['events', 'RUN', '--from', 'x']],
  ])(
    'the program answers (%i) as of files: %s',
    (status, args) => {
      const ofFiles = says(file, ...args);
      expect(ofFiles).toMatchObject({ status });
      expect(says(address, ...args)).toEqual(ofFiles);
    },
    60_000,
  );
  test('comes back from the checkpoint beside it, and without it from its beginning', () => {
    const [{ path, files }, log] = [placeOf(address), openLog(address)];
    const open = openCache(path, log, 'read', files.cache)!;
    const [{ seq }] = open.cache.list() as unknown as [{ readonly seq: number }];
    const cached = resumeHost(log, open.cache);
    expect(cached).toMatchObject({ divergence: null, from: seq, rejected: [] });
    const whole = resumeHost(log, undefined);
    expect(whole).toMatchObject({ divergence: null, from: 0 });
    expect(cached.dispatcher.digest()).toEqual(whole.dispatcher.digest());
  });
  test('is named by any of its parts, and listed', () => {
    for (const n of [2, 3]) {
      const [path, part] = [file.replace('.xlog', `.${n}.xlog`), `${address}#${n}`];
      expect(openLog(part)).toMatchObject({ parts: 4 - n, first: openLog(path).first });
      expect(xenolog('replay', part)).toMatchObject({ status: 0 });
    }
    expect(xenolog('log', 'info', database).stdout).toMatch(/^run +\d+ steps, \d+ bytes in 3 parts\n$/);
    expect(JSON.parse(xenolog('log', 'info', address, '--json').stdout)).toMatchObject({
      checkpoints: [expect.any(Number)],
      files: [{ path: address }, { path: `${address}#2` }, { path: `${address}#3` }],
    });
  }, 60_000);
  test('is found, listed and taken away without its first part', () => {
    const other = `${database}#without`;
    record(other);
    const { path, files } = placeOf(other);
    files.unlink(path);
    expect(openLog(other)).toMatchObject({ parts: 2, first: openLog(`${address}#2`).first });
    expect(xenolog('log', 'info', database).stdout).toMatch(/^run .*\nwithout .* in 2 parts\n$/);
    const { removed } = JSON.parse(xenolog('log', 'remove', `${other}#3`, '--json').stdout);
    expect(removed).toEqual([`${other}-cache`, `${other}#3`, `${other}#2`]);
    expect(files.names('')).toEqual([]);
  }, 60_000);
  test('goes from files into a database and back, as one', () => {
    const [merged, moved, back] = [join(directory, 'merged.xlog'), `${database}#moved`, join(directory, 'back.xlog')];
    expect(xenolog('log', 'merge', file, '-o', merged).status).toBe(0);
    expect(xenolog('log', 'merge', file, '-o', moved).status).toBe(0);
    expect(xenolog('log', 'merge', address, '-o', back).status).toBe(0);
    for (const one of [back, moved])
      expect(JSON.parse(xenolog('log', 'info', one, '--json').stdout).files[0].sha256).toBe(
        JSON.parse(xenolog('log', 'info', merged, '--json').stdout).files[0].sha256,
      );
    expect(xenolog('log', 'merge', file, '-o', moved)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^xenolog: there is something of this name already .*\n$/),
    });
  }, 60_000);
  test('is made one in its place, and taken away with all that it has', () => {
    const { status, stdout } = xenolog('log', 'compact', address, '--json');
    const inFiles = xenolog('log', 'compact', file, '--json');
    expect([status, JSON.parse(stdout)]).toEqual([0, JSON.parse(inFiles.stdout)]);
    expect(readLmdb(join(directory, 'parts'), 'run')!.tail(0)).toEqual(new Uint8Array(readFileSync(file)));
    expect(JSON.parse(xenolog('log', 'check', address, '--json').stdout)).toMatchObject({
      checkpoints: { count: 1, damaged: [] },
    });
    expect(xenolog('log', 'remove', address, '--checkpoints')).toMatchObject({ status: 0, stdout: `removed ${address}-cache\n` });
    expect(JSON.parse(xenolog('log', 'check', address, '--json').stdout)).toMatchObject({ checkpoints: null });
    expect(xenolog('log', 'remove', address)).toMatchObject({ status: 0 });
    expect(xenolog('log', 'info', database).stdout).toMatch(/^moved +/);
    expect(xenolog('log', 'remove', file)).toMatchObject({ status: 0 });
    expect(existsSync(file)).toBe(false);
  }, 60_000);
});
