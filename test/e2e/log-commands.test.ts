// What a person does with logs as files: look, check, repair, make one of several, make it small, compare, and bring what is missing.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { openCache } from '../../adapters/file-store/cache-file.ts';
import { compactRun, writeMerged } from '../../adapters/file-store/compact.ts';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { readRun } from '../../adapters/file-store/recover.ts';
import { loadScenario } from '../../adapters/load-scenario.ts';
import { openLog, sha256 } from '../../adapters/log-file.ts';
import { play } from '../../adapters/play.ts';
import { hexOf, joined } from '../../events/bytes.ts';
import { Log, LogWriter, STEPS_PER_BLOCK } from '../../events/log.ts';
import { mergeLog } from '../../events/merge.ts';
import { currentShape, type Shape } from '../../events/shape.ts';
import { bytesSource } from '../../events/source.ts';
import { SECOND } from '../../events/units.ts';
import { PAUSE_EVERY, Recording } from '../../machines/index.ts';
import { encodeStart, firstDifference, reenact } from '../../replay/index.ts';
import { defaultHost } from '../../src/host-config.ts';
import { SCENARIO } from '../livecd.ts';
import { FaultyFiles } from './faulty-files.ts';
import { root, scratchDirectory, xenolog } from './program.ts';
import { appendStep, header, stepOf } from './store-run.ts';

const directory = scratchDirectory();
const at = (name: string): string => join(directory, name);
const textOf = (log: Log): string => Array.from(log.steps(), (step) => JSON.stringify(step)).join('\n');

/** The Live CD's first 20 seconds: in one file, or in three with a checkpoint beside them. */
function record(path: string, rotate: boolean): void {
  const { header, images, run } = loadScenario(SCENARIO);
  const recording = new Recording({ header, images, hash: sha256, store: new FileStore({ path, header, durability: 'none' }) });
  const playing = play(recording.dispatcher, run, 20 * SECOND);
  for (let n = 0; !playing.next().done; n++) if (rotate && n < 2) recording.rotate(encodeStart);
  const { dispatcher } = recording;
  if (rotate) {
    const { cache, close } = openCache(path, openLog(path), 'write');
    cache.write(dispatcher.checkpoint(), dispatcher.digest());
    close();
  }
  recording.finish();
}

describe('a run of several files', () => {
  beforeAll(() => {
    record(at('one.xlog'), false);
    record(at('run.xlog'), true);
  });

  test('log info and log check look at all of them', () => {
    const info = JSON.parse(xenolog('log', 'info', at('run.xlog'), '--json').stdout);
    const whole = openLog(at('one.xlog'));
    expect(info).toMatchObject({ steps: whole.length, closed: true, run: whole.run, first: 0, embed: 'reads' });
    expect(info.files.map((file: { path: string }) => file.path)).toEqual(['run.xlog', 'run.2.xlog', 'run.3.xlog'].map(at));
    expect(info.checkpoints).toHaveLength(1);
    expect(xenolog('log', 'info', at('run.xlog')).stdout).toMatch(new RegExp(`sha256 +[0-9a-f]{64} ${at('run.3.xlog')}`));
    expect(JSON.parse(xenolog('log', 'check', at('run.xlog'), '--json').stdout)).toEqual({
      steps: whole.length,
      first: 0,
      files: 3,
      closed: true,
      torn: null,
      checkpoints: { count: 1, damaged: [], problem: null },
    });
    expect(xenolog('log', 'check', at('run.xlog'))).toMatchObject({ status: 0, stdout: expect.stringContaining('in 3 files') });
    expect(xenolog('replay', at('run.xlog'))).toMatchObject({ status: 0 });
  });

  test('log merge makes one of them, and leaves them', () => {
    expect(xenolog('log', 'merge', at('run.xlog'), '-o', at('merged.xlog'))).toMatchObject({ status: 0, stderr: '' });
    const merged = openLog(at('merged.xlog'));
    const whole = openLog(at('one.xlog'));
    expect(textOf(merged)).toBe(textOf(whole));
    expect(merged).toMatchObject({ parts: 1, end: whole.end, run: whole.run });
    expect(reenact(merged).divergence).toBeNull();
    expect(existsSync(at('run.3.xlog'))).toBe(true);
    const again = xenolog('log', 'merge', at('run.xlog'), '-o', at('merged.xlog'));
    expect(again).toMatchObject({ status: 1, stderr: expect.stringContaining('there is something of this name already') });
    expect(xenolog('diff', at('merged.xlog'), at('one.xlog'))).toMatchObject({ status: 0 });
  });

  test('log merge of the later ones keeps the checkpoint that they start from', () => {
    expect(xenolog('log', 'merge', at('run.2.xlog'), '-o', at('later.xlog')).status).toBe(0);
    const later = openLog(at('later.xlog'));
    expect(later).toMatchObject({ parts: 1, first: openLog(at('run.2.xlog')).first });
    expect(reenact(later).divergence).toBeNull();
  });

  test('log compact makes one of them in their place, once and for all', () => {
    for (const name of ['run.xlog', 'run.2.xlog', 'run.3.xlog', 'run.xlog-cache'])
      copyFileSync(at(name), at(name.replace('run', 'small')));
    const { status, stdout } = xenolog('log', 'compact', at('small.xlog'), '--json');
    expect(status).toBe(0);
    const { before, after, files } = JSON.parse(stdout);
    expect(files).toBe(3);
    expect(after).toBeLessThan(before);
    expect([existsSync(at('small.2.xlog')), existsSync(at('small.3.xlog'))]).toEqual([false, false]);
    expect(readFileSync(at('small.xlog'))).toEqual(readFileSync(at('merged.xlog')));
    expect(JSON.parse(xenolog('log', 'check', at('small.xlog'), '--json').stdout).checkpoints).toMatchObject({
      count: 1,
      damaged: [],
    });
    expect(JSON.parse(xenolog('log', 'compact', at('small.xlog'), '--json').stdout)).toMatchObject({ files: 1, after });
  });
});

/** A run of plain steps in three files, the last one not closed. */
function plain(steps: number): FaultyFiles {
  const files = new FaultyFiles();
  const store = new FileStore({ path: 'a.xlog', header, durability: 'batch', files, clock: () => 0 });
  for (let seq = 0; seq < steps; seq++) {
    if (seq === steps / 9 || seq === (steps / 9) * 5) store.rotate({ steps: seq, state: 1, memory: 2 }, Uint8Array.of(1, 2, 3));
    appendStep(store, seq);
  }
  store.acknowledge();
  return files.restarted('nothing');
}

test('compacting may be stopped at any call and begun again', () => {
  const killed = plain(900);
  const whole = killed.restarted('nothing');
  const steps = textOf(readRun('a.xlog', whole)!);
  compactRun('a.xlog', whole);
  for (let at = 0; at < whole.calls.length; at++)
    for (const losing of ['memory', 'nothing'] as const) {
      const files = killed.restarted('nothing');
      files.fault = { at, code: 'EIO', forever: true };
      try {
        compactRun('a.xlog', files);
      } catch {
        // stopped here
      }
      const after = files.restarted(losing);
      expect(textOf(readRun('a.xlog', after)!)).toBe(steps);
      compactRun('a.xlog', after);
      expect(after.read('a.xlog')).toEqual(whole.read('a.xlog'));
      expect([...after.disk.keys()].filter((name) => !name.includes('-'))).toEqual(['a.xlog']);
    }
});

test('a run that was rotated becomes, merged, the file that it would have been', () => {
  const files = plain(9000);
  const straight = new FaultyFiles();
  const store = new FileStore({ path: 'b.xlog', header, durability: 'none', files: straight });
  for (let seq = 0; seq < 9000; seq++) appendStep(store, seq);
  store.seal();
  writeMerged(readRun('a.xlog', files)!, 'c.xlog', files);
  const [merged, whole] = [new Log([bytesSource(files.read('c.xlog')!)]), new Log([bytesSource(straight.read('b.xlog')!)])];
  expect(textOf(merged)).toBe(textOf(whole));
  expect([...merged.blocks()]).toEqual([...whole.blocks()]);
  expect(merged.run).toBe(whole.run);
});

describe('files of an earlier vocabulary, as one', () => {
  test('a log of every version keeps its steps and its vocabulary', () => {
    for (const version of ['v1', 'v2']) {
      const log = openLog(join(root, 'test/golden/logs', `${version}.xlog`));
      writeMerged(log, at(`${version}.xlog`));
      const merged = openLog(at(`${version}.xlog`));
      expect(textOf(merged)).toBe(textOf(log));
      expect(merged).toMatchObject({ end: log.end, shape: log.shape });
    }
  });
  const files = (change: (shape: Shape) => Shape): Log => {
    const parts: Uint8Array[][] = [[], []];
    const first = new LogWriter(header, (bytes) => parts[0]!.push(bytes), sha256, undefined, change(currentShape));
    const run = hexOf(first.place.chain);
    for (let seq = 0; seq < 5; seq++) first.append(stepOf(seq));
    first.cut();
    const part = { number: 2, first: 5, run, follows: hexOf(first.place.chain) };
    const second = new LogWriter({ ...header, part }, (bytes) => parts[1]!.push(bytes), sha256);
    for (let seq = 5; seq < 9; seq++) second.append(stepOf(seq));
    second.end({ steps: 9, state: 1, memory: 2 });
    return new Log(
      parts.map((bytes) => bytesSource(joined(bytes))),
      sha256,
    );
  };
  test('where the later one has all of it, and more', () => {
    const log = files(({ commands, facts, errnos }) => ({ commands, facts: facts.slice(0, -1), errnos: errnos.slice(0, -1) }));
    const bytes: Uint8Array[] = [];
    mergeLog(log, (part) => bytes.push(part), sha256);
    const merged = new Log(joined(bytes), sha256);
    expect([merged.length, textOf(merged)]).toEqual([9, textOf(log)]);
    expect(merged.shape).toEqual(currentShape);
  });
  test('not where a message has got another field since', () => {
    const log = files((shape) => ({
      ...shape,
      commands: shape.commands.map(([type, args, returns]) => [
        type,
        type === 'domctl.createdomain' ? args.slice(0, -1) : args,
        returns,
      ]),
    }));
    expect(log.length).toBe(9);
    expect(() => mergeLog(log, () => {}, sha256)).toThrow(/no one file can have all; leave them as they are/);
  });
});

describe('diff', () => {
  /** Values in XenStore, each soon written over; one of them may be another. */
  function written(other: number, xenolog = '0'): Log {
    const parts: Uint8Array[] = [];
    const recording = new Recording({
      header: { ...header, xenolog, host: defaultHost },
      images: [],
      sink: (bytes) => parts.push(bytes.slice()),
    });
    const { dispatcher } = recording;
    const { value } = dispatcher.input({ type: 'xenstore.connect', domid: 0 }, 'a') as { value: { conn: number } };
    for (let n = 1; n < 5 * PAUSE_EVERY; n++) {
      const [path, text] = [`/k${n % 7}`, `${n === other ? 'x' : 'y'}`];
      dispatcher.input({ type: 'xenstore.write', conn: value.conn, tx: 0, path, value: text }, 'a');
    }
    recording.finish();
    return new Log([bytesSource(joined(parts))]);
  }
  test('finds two runs whose hosts have become equal again, and looks at few of their steps', () => {
    const whole = written(0);
    expect(firstDifference(whole, written(0))).toBeUndefined();
    for (const other of [1, 20_000, 5 * PAUSE_EVERY - 1]) {
      const parting = firstDifference(whole, written(other));
      expect(parting).toMatchObject({ seq: other, a: { command: { value: 'y' } }, b: { command: { value: 'x' } } });
      expect(parting!.compared).toBeLessThanOrEqual(STEPS_PER_BLOCK);
    }
    // Runs of two headers have no chain value in common.
    expect(firstDifference(whole, written(20_000, 'another'))).toMatchObject({ seq: 20_000 });
  });
  test('names the first step that differs, and says what the hosts differ in', () => {
    const scenario = readFileSync(SCENARIO, 'utf8').replace("'ping -c 3", "'ping -c 2").replace('ping -c 3', 'ping -c 2');
    const folder = at('other');
    mkdirSync(folder);
    execFileSync('cp', ['-r', `${dirname(SCENARIO)}/.`, folder]);
    writeFileSync(join(folder, 'livecd.yaml'), scenario);
    expect(xenolog('run', SCENARIO, '--quiet', '-o', at('a.xlog')).status).toBe(0);
    expect(xenolog('run', join(folder, 'livecd.yaml'), '--quiet', '-o', at('b.xlog')).status).toBe(0);
    const { status, stdout } = xenolog('diff', at('a.xlog'), at('b.xlog'));
    expect(status).toBe(1);
    const [a, b] = [openLog(at('a.xlog')), openLog(at('b.xlog'))];
    const parting = firstDifference(a, b)!;
    expect(stdout).toContain(`they part at step ${parting.seq}\n`);
    const [ours, theirs] = [[...a.steps()], [...b.steps()]];
    expect(JSON.stringify(ours[parting.seq])).not.toBe(JSON.stringify(theirs[parting.seq]));
    expect(textOf(a).split('\n').slice(0, parting.seq)).toEqual(textOf(b).split('\n').slice(0, parting.seq));
  });
});

describe('--embed', () => {
  const images = ['server.img', 'client01.img', 'client02.img'].map((name) => join(dirname(SCENARIO), name));
  beforeAll(() => {
    expect(xenolog('run', SCENARIO, '--quiet', '-o', at('reads.xlog')).status).toBe(0);
  });
  test.each(['hashes', 'none'])(
    '%s: folds and verifies, and says by digest what is missing for the rest',
    (embed) => {
      const path = at(`${embed}.xlog`);
      expect(xenolog('run', SCENARIO, '--quiet', '--embed', embed, '-o', path).status).toBe(0);
      const all = xenolog('replay', path, '--json');
      expect(all.status).toBe(0);
      const { replays, missing_images } = JSON.parse(all.stdout);
      expect(replays.map(({ replay, same }: { replay: string; same: boolean }) => [replay, same])).toEqual([
        ['fold', true],
        ['verify', true],
        ['follow', true],
      ]);
      expect(missing_images.length).toBeGreaterThan(0);
      const digest = openLog(path).header.images[0]!.sha256;
      expect(missing_images[0]).toContain(`SHA-256 ${digest}`);
      expect(xenolog('replay', path, '--reenact')).toMatchObject({ status: 2, stderr: expect.stringContaining(digest) });
      expect(xenolog('replay', path, '--reenact', '--image', ...images)).toMatchObject({ status: 0 });
      expect(() => reenact(openLog(path))).toThrow(/does not carry the image .*SHA-256/);
      const brought = images.flatMap((image) => ['--image', image]);
      for (const look of [
        ['inspect', path, '--at', '20s', '--memory', '1:0'],
        ['xl', '--run', path, '--at', '20s', 'list'],
      ]) {
        expect(xenolog(...look)).toMatchObject({ status: 2, stderr: expect.stringMatching(/bring it with --image FILE$/m) });
        const [command, ...rest] = look;
        const [one, ...others] = rest;
        const words = command === 'xl' ? [one!, others[0]!, ...brought, ...others.slice(1)] : [...rest, ...brought];
        const whole = xenolog(...look.map((word) => (word === path ? at('reads.xlog') : word)));
        expect(xenolog(command!, ...words)).toEqual(whole);
      }
    },
    240_000,
  );
  test('hashes: another image of the same digest in the header is noticed at the first sector that differs', () => {
    const log = openLog(at('hashes.xlog'));
    const lying = new Map(
      log.header.images.map(({ sha256: digest, sectors }) => [
        digest,
        { sectors, read: (_: number, into: Uint8Array) => void into.fill(7) },
      ]),
    );
    expect(() => reenact(log, { found: lying })).toThrow(/sector \d+ of .* is not what the run has read/);
  });
  test('anything else is refused', () => {
    expect(xenolog('run', SCENARIO, '--embed', 'some')).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('choose one of reads, hashes, none'),
    });
  });
});
