// A run over several files: rotated, or stopped and taken up again. It reads as one, and its last file can do without the others.
import { beforeAll, describe, expect, test } from 'vitest';
import { cacheOf } from '../../adapters/file-store/cache-file.ts';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { readRun } from '../../adapters/file-store/recover.ts';
import { resumeRun } from '../../adapters/file-store/resume.ts';
import { loadScenario } from '../../adapters/load-scenario.ts';
import { sha256 } from '../../adapters/log-file.ts';
import type { Log } from '../../events/log.ts';
import { SECOND } from '../../events/units.ts';
import { type Dispatcher, Recording } from '../../machines/index.ts';
import { encodeStart, fold, follow, reenact, resumeHost, verify } from '../../replay/index.ts';
import { type Played, playLivecd, SCENARIO } from '../livecd.ts';
import { FaultyFiles } from './faulty-files.ts';

const PATH = 'run.xlog';
const END = 40 * SECOND;
const textOf = (log: Log): string => Array.from(log.steps(), (step) => JSON.stringify(step)).join('\n');

/** The Live CD's inputs one by one, and a word before each. */
function drive(
  dispatcher: Dispatcher,
  run: ReturnType<typeof loadScenario>['run'],
  from: number,
  before: (number: number) => boolean,
): void {
  for (const [number, input] of run.inputs.entries()) {
    if (number < from || input.time > END) continue;
    dispatcher.run(input.time);
    if (!before(number)) return;
    const { store } = dispatcher.host;
    const named = (name: string) =>
      (store.node('/local/domain')?.names() ?? [])
        .map(Number)
        .find((domid) => store.node(`/local/domain/${domid}/name`)?.value === name);
    dispatcher.input(input.command(named)!, 'operator');
  }
  dispatcher.run(END);
  dispatcher.input({ type: 'host.end' }, 'operator');
}

let whole: Played;
beforeAll(() => {
  whole = playLivecd(END);
});

/** The run in three files, rotated before its second and its fourth input. */
function rotated(): FaultyFiles {
  const { header, images, run } = loadScenario(SCENARIO);
  const files = new FaultyFiles();
  const store = new FileStore({ path: PATH, header, durability: 'batch', files });
  const recording = new Recording({ header, images, hash: sha256, store });
  const { dispatcher } = recording;
  dispatcher.input({ type: 'host.boot' }, 'operator');
  drive(dispatcher, run, 0, (number) => {
    if (number === 1 || number === 3) recording.rotate(encodeStart);
    return true;
  });
  recording.finish();
  return files;
}

describe('a run that was rotated', () => {
  const files = rotated();
  test('is three files, and nothing else', () => {
    expect([...files.disk.keys()]).toEqual([PATH, 'run.2.xlog', 'run.3.xlog']);
  });
  test('reads as one', () => {
    const log = readRun(PATH, files)!;
    expect(log).toMatchObject({ parts: 3, first: 0, torn: undefined, end: whole.end, length: whole.end.steps });
    expect(textOf(log)).toBe(textOf(whole.log));
    expect(reenact(log).divergence).toBeNull();
  });
  test.each([2, 3])('from file %i on stands for itself', (number) => {
    const log = readRun(`run.${number}.xlog`, files)!;
    expect(log.first).toBeGreaterThan(500);
    expect(log).toMatchObject({ parts: 4 - number, torn: undefined, end: whole.end });
    expect(fold(log).digest()).toBe(whole.end.state);
    expect(verify(log)).toBeNull();
    expect(follow(log).divergence).toBeNull();
    expect(reenact(log).divergence).toBeNull();
  });
  test('says so where its last file is missing', () => {
    const some = files.restarted('nothing');
    some.disk.delete('run.3.xlog');
    expect(readRun(PATH, some)!.torn).toMatch(/goes on in a file that is not there, after step \d+$/);
  });
  test('is refused where files do not follow each other', () => {
    const some = files.restarted('nothing');
    some.disk.set('run.2.xlog', some.disk.get('run.3.xlog')!);
    expect(() => readRun(PATH, some)).toThrow(/file 2 of the run says that it is file 3/);
  });
  test('leaves aside what is not of it', () => {
    const some = files.restarted('nothing');
    some.disk.set('run.4.xlog', some.disk.get(PATH)!);
    expect(readRun(PATH, some)!.torn).toBe('run.4.xlog belongs to another run: it is left aside');
  });
  test('goes, all of it, when another run takes its place', () => {
    const some = files.restarted('nothing');
    // With a gap in it, and checkpoints, which the new run could take for its own.
    some.disk.delete('run.2.xlog');
    some.disk.set(cacheOf(PATH), some.disk.get('run.3.xlog')!);
    const { header } = loadScenario(SCENARIO);
    new FileStore({ path: PATH, header, durability: 'batch', files: some }).seal();
    expect([...some.disk.keys()]).toEqual([PATH]);
  });
});

describe('a run that was killed, and taken up again', () => {
  test('goes on to the same end', () => {
    const { header, images, run } = loadScenario(SCENARIO);
    let files = new FaultyFiles();
    let at = 0;
    {
      const store = new FileStore({ path: PATH, header, durability: 'batch', files });
      const recording = new Recording({ header, images, hash: sha256, store });
      recording.dispatcher.input({ type: 'host.boot' }, 'operator');
      drive(recording.dispatcher, run, 0, (number) => {
        at = number;
        return number < 1;
      });
      recording.acknowledge();
    }
    for (const stop of [3, Number.POSITIVE_INFINITY]) {
      files = files.restarted('nothing');
      const stopped = resumeRun({ path: PATH, durability: 'batch', files })!;
      expect(stopped.recovery.folded).toBeGreaterThan(0);
      const { dispatcher: past, divergence } = resumeHost(stopped.log, undefined);
      expect(divergence).toBeNull();
      const checkpoint = past.checkpoint();
      const store = stopped.goOn(encodeStart(past));
      const recording = new Recording({ header, images, hash: sha256, store });
      recording.dispatcher.restore(checkpoint);
      drive(recording.dispatcher, run, at, (number) => {
        at = number;
        return number < stop;
      });
      if (stop < 9) recording.acknowledge();
      else recording.finish();
    }
    const log = readRun(PATH, files)!;
    expect(log).toMatchObject({ parts: 3, torn: undefined, end: whole.end });
    expect(textOf(log)).toBe(textOf(whole.log));
  });
});
