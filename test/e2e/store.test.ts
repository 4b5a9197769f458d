// The file store, and every fault that a disk, a system or a person can bring to it. store-contract.test.ts is what all stores have in common.
import { existsSync, lstatSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Durability, durabilities, FileStore } from '../../adapters/file-store/file-store.ts';
import { readRun, recoverLog } from '../../adapters/file-store/recover.ts';
import { sha256 } from '../../adapters/file-store/sha256.ts';
import { RowWriter, SIDECAR_HEADER_SIZE, sidecarOf } from '../../adapters/file-store/sidecar.ts';
import { BlockEncoder } from '../../events/block-encoder.ts';
import { crc32, joined } from '../../events/bytes.ts';
import { encodeHeader } from '../../events/header.ts';
import { type Log, LogError, STEPS_PER_BLOCK } from '../../events/log.ts';
import type { Shape } from '../../events/shape.ts';
import { MemoryStore } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';
import { FaultyFiles } from './faulty-files.ts';
import { scratchDirectory } from './program.ts';
import { closedFile, end, fill, header, stepOf } from './store-run.ts';

const PATH = 'a.xlog';
/** Every byte and every bit, where CI takes some. */
const all = process.env['XENOLOG_FAULTS'] === 'all';
/** Steps as text: thousands of them are compared at once. */
const textOf = (steps: Iterable<Step>): string => Array.from(steps, (step) => JSON.stringify(step)).join('\n');
const lines = Array.from({ length: STEPS_PER_BLOCK + 50 }, (_, seq) => JSON.stringify(stepOf(seq)));
const expected = (to: number, from = 0): string => lines.slice(from, to).join('\n');

const directory = scratchDirectory();

/** A file store in a file system of its own. */
function onDisk(durability: Durability): { files: FaultyFiles; store: FileStore } {
  const files = new FaultyFiles();
  return { files, store: new FileStore({ path: PATH, header, durability, files, clock: () => 0 }) };
}

describe('a file', () => {
  test.each(durabilities)('is the same in mode %s, with nothing left beside it', (durability) => {
    const { files, store } = onDisk(durability);
    for (let seq = 0; seq < STEPS_PER_BLOCK + 50; seq += 10) {
      fill(store, seq, Math.min(seq + 10, STEPS_PER_BLOCK + 50));
      store.acknowledge();
    }
    store.close(end(STEPS_PER_BLOCK + 50));
    expect([...files.disk.keys()]).toEqual([PATH]);
    expect(files.read(PATH)).toEqual(closedFile(STEPS_PER_BLOCK + 50));
  });
  test('a write that takes a few bytes at a time is a write', () => {
    const { files, store } = onDisk('batch');
    files.mostBytes = 7;
    fill(store, 0, 20);
    store.acknowledge();
    expect(textOf(store.read().steps())).toBe(expected(20));
    store.seal();
  });
  test('batch syncs every 100 ms, strict at every acknowledgement, none never', () => {
    const syncs = (durability: Durability): number => {
      const files = new FaultyFiles();
      let now = 0;
      const store = new FileStore({ path: PATH, header, durability, files, clock: () => now });
      const before = files.calls.filter((call) => call === 'sync data').length;
      for (let seq = 0; seq < 20; seq++) {
        now += 30;
        fill(store, seq, seq + 1);
        store.acknowledge();
      }
      const count = files.calls.filter((call) => call === 'sync data').length - before;
      store.seal();
      return count;
    };
    expect(durabilities.map((durability) => [durability, syncs(durability)])).toEqual([
      ['batch', 5],
      ['strict', 20],
      ['none', 0],
    ]);
  });
});

/** A run over a block's end, acknowledged now and then; how many steps were acknowledged, and whether it told of a problem. */
function recorded(files: FaultyFiles, durability: Durability): { acknowledged: number; told: boolean } {
  const steps = STEPS_PER_BLOCK + 40;
  let store: FileStore;
  try {
    store = new FileStore({ path: PATH, header, durability, files, clock: () => 0 });
  } catch {
    return { acknowledged: 0, told: true };
  }
  for (let seq = 0; seq < steps; seq += 1379) {
    fill(store, seq, Math.min(seq + 1379, steps));
    store.acknowledge();
  }
  const last = store.close(end(steps));
  return { acknowledged: last.steps, told: !last.ok };
}

describe.each(['ENOSPC', 'EIO'])('%s', (code) => {
  // Half of the modes each: what a call fails with makes no difference to the store.
  const durability = code === 'EIO' ? 'strict' : 'batch';
  const healthy = new FaultyFiles();
  recorded(healthy, durability);
  test.each(healthy.calls.map((call, at) => [at, call] as const))(
    'at call %i (%s): told, and nothing acknowledged is lost',
    (at) => {
      for (const forever of [false, true]) {
        const files = new FaultyFiles();
        files.fault = { at, code, forever };
        const { acknowledged, told } = recorded(files, durability);
        // A lock's draft or a lock that stays is nothing to tell of: the next writer sees that nobody holds it.
        if (!told) expect(acknowledged).toBe(STEPS_PER_BLOCK + 40);
        if (acknowledged === 0) continue;
        const kept = readRun(PATH, files.restarted(durability === 'strict' ? 'memory' : 'nothing'))!;
        expect(kept.length).toBeGreaterThanOrEqual(acknowledged);
        expect(textOf(kept.steps())).toBe(expected(kept.length));
      }
    },
  );
});

/** A log with a block, and a sidecar with 30 steps after it: what kill -9 leaves. */
const killed = onDisk('batch');
const BLOCK = STEPS_PER_BLOCK;
fill(killed.store, 0, BLOCK);
for (let seq = BLOCK; seq < BLOCK + 30; seq += 3) {
  fill(killed.store, seq, seq + 3);
  killed.store.acknowledge();
}
const log = killed.files.read(PATH)!.slice();
const sidecar = killed.files.read(sidecarOf(PATH))!.slice();
killed.store.seal();
const disk = (logBytes: Uint8Array, sidecarBytes?: Uint8Array): FaultyFiles => {
  const files = new FaultyFiles();
  const put = (path: string, bytes: Uint8Array) => files.disk.set(path, { bytes, synced: bytes });
  put(PATH, logBytes);
  if (sidecarBytes) put(sidecarOf(PATH), sidecarBytes);
  return files;
};

describe('a run that was killed', () => {
  test('reads up to its last acknowledged step, and says where from', () => {
    const run = readRun(PATH, disk(log, sidecar))!;
    expect(textOf(run.steps())).toBe(expected(BLOCK + 30));
    expect(run.torn).toBe(
      `the log was not closed: it stops after step ${BLOCK + 29}, the last 30 of its steps are from its sidecar`,
    );
  });
  test('is repaired into the file that sealing it would have made, once and for all', () => {
    const files = disk(log, sidecar);
    expect(recoverLog(PATH, files)).toEqual({ steps: BLOCK + 30, folded: 30, cut: 0, closed: false });
    const memory = new MemoryStore(header);
    fill(memory, 0, BLOCK + 30);
    expect(files.read(PATH)).toEqual(memory.bytes());
    expect([...files.disk.keys()]).toEqual([PATH]);
    expect(recoverLog(PATH, files)).toEqual({ steps: BLOCK + 30, folded: 0, cut: 0, closed: false });
  });
  test('repair may be stopped at any call and begun again', () => {
    const whole = disk(log, sidecar);
    recoverLog(PATH, whole);
    for (let at = 0; at < whole.calls.length; at++)
      for (const losing of ['memory', 'nothing'] as const) {
        const files = disk(log, sidecar);
        files.fault = { at, code: 'EIO', forever: true };
        try {
          recoverLog(PATH, files);
        } catch {
          // stopped here
        }
        const after = files.restarted(losing);
        recoverLog(PATH, after);
        expect(after.read(PATH)).toEqual(whole.read(PATH));
      }
  }, 600_000);
  test('without its sidecar has its sealed blocks', () => {
    expect(readRun(PATH, disk(log))!.length).toBe(BLOCK);
  });
  test('a sidecar of another run is left aside, and repair changes nothing', () => {
    const other = new FaultyFiles();
    const store = new FileStore({ path: PATH, header: { ...header, seed: 2 }, durability: 'batch', files: other });
    fill(store, 0, 5);
    store.acknowledge();
    const files = disk(log, other.read(sidecarOf(PATH))!.slice());
    store.seal();
    expect(readRun(PATH, files)).toMatchObject({ length: BLOCK, torn: expect.stringMatching(/another run: it is left aside$/) });
    expect(() => recoverLog(PATH, files)).toThrow(/another run .*nothing was changed/);
    expect(files.read(PATH)).toEqual(log);
    expect([...files.disk.keys()]).toEqual([PATH, sidecarOf(PATH)]);
  });
  test('a sidecar whose steps are in the log already adds nothing', () => {
    const repaired = disk(log, sidecar);
    recoverLog(PATH, repaired);
    const files = disk(repaired.read(PATH)!, sidecar);
    expect(readRun(PATH, files)!.length).toBe(BLOCK + 30);
    expect(recoverLog(PATH, files)).toMatchObject({ steps: BLOCK + 30, folded: 0 });
    expect([...files.disk.keys()]).toEqual([PATH]);
  });
});

describe('a run that another version has begun, with a smaller vocabulary', () => {
  // As one before the vocabulary has grown: what this run does not use is not there.
  const whole = encodeHeader(header);
  const { vocabulary, ...rest } = JSON.parse(new TextDecoder().decode(whole.subarray(20))) as { vocabulary: Shape };
  const end = vocabulary.commands.findIndex(([type]) => type === 'xenstore.write') + 1;
  const smaller = { ...vocabulary, commands: vocabulary.commands.slice(0, end), facts: vocabulary.facts.slice(0, 40) };
  const json = new TextEncoder().encode(JSON.stringify({ ...rest, vocabulary: smaller }));
  const start = joined([whole.subarray(0, 20), json]);
  const view = new DataView(start.buffer);
  view.setUint32(12, json.length, true);
  view.setUint32(16, crc32(joined([start.subarray(0, 16), json])), true);
  const run = sha256(start);
  const rows = new RowWriter();
  rows.begin({ run, chain: run, steps: 0 });
  for (let seq = 0; seq < 9; seq++) rows.add({ step: stepOf(seq), blobs: [] });

  test('and that was killed is read, and repaired into a file of its own vocabulary', () => {
    expect(end).toBeLessThan(vocabulary.commands.length);
    const files = disk(start, rows.view().slice());
    expect(textOf(readRun(PATH, files)!.steps())).toBe(textOf(steps(9)));
    expect(recoverLog(PATH, files)).toMatchObject({ steps: 9, folded: 9 });
    const repaired = readRun(PATH, files)!;
    expect(repaired.shape.commands).toHaveLength(end);
    expect(textOf(repaired.steps())).toBe(textOf(steps(9)));
  });
  test('takes no step that it has no word for', () => {
    const encoder = new BlockEncoder(smaller);
    encoder.add(stepOf(0));
    const { command: _, ...step } = stepOf(1);
    const word = vocabulary.commands[end]![0];
    encoder.add({ ...step, command: { type: word } as never });
    expect(() => encoder.flush()).toThrow(`has no ${word}`);
    expect(() => encoder.flush()).toThrow('could not be written');
  });
  test('takes no errno that it has no word for', () => {
    const encoder = new BlockEncoder({ ...smaller, errnos: ['EINVAL'] });
    encoder.add({ ...stepOf(0), outcome: { ok: false, errno: 'EPERM' } });
    expect(() => encoder.flush()).toThrow('has no EPERM');
  });
});
function* steps(count: number): Generator<Step> {
  for (let seq = 0; seq < count; seq++) yield stepOf(seq);
}

describe('damage', () => {
  /** Reads what there is: a refusal, or steps that are those of the run. */
  const stepsOf = (files: FaultyFiles): number | 'refused' => {
    let run: Log;
    try {
      run = readRun(PATH, files)!;
    } catch (error) {
      if (error instanceof LogError) return 'refused';
      throw error;
    }
    expect(run.torn).toBeDefined();
    // The block is the log's own affair, and log.test.ts's; what the sidecar adds is ours.
    if (run.length > BLOCK) expect(textOf(run.steps(BLOCK))).toBe(expected(run.length, BLOCK));
    return run.length;
  };
  test('a sidecar that is cut off anywhere gives every step that is whole', () => {
    let last = BLOCK;
    for (let size = 0; size <= sidecar.length; size++) {
      const count = stepsOf(disk(log, sidecar.slice(0, size))) as number;
      expect(count === last || count === last + 1).toBe(true);
      last = count;
    }
    expect(last).toBe(BLOCK + 30);
  }, 600_000);
  test('a sidecar that ends with zeros was never written there', () => {
    const grown = new Uint8Array(sidecar.length + 500);
    grown.set(sidecar);
    expect(stepsOf(disk(log, grown))).toBe(BLOCK + 30);
  });
  test('a log that is cut off anywhere: its steps, or none; never those of the sidecar without those before', () => {
    const shallow = log.length - 64 - 300;
    const offsets = all
      ? Array.from({ length: log.length }, (_, at) => at)
      : [
          ...Array.from({ length: 400 }, (_, at) => at),
          ...Array.from({ length: 60 }, (_, n) => Math.floor((shallow * n) / 60)),
          ...Array.from({ length: 300 }, (_, n) => log.length - 1 - n),
        ];
    for (const size of offsets) {
      const files = disk(log.slice(0, size), sidecar);
      const count = stepsOf(files);
      expect(count === 'refused' || count === 0).toBe(true);
      if (count === 0) expect(readRun(PATH, files)!.torn).toMatch(/the log has only 0 steps: it is left aside/);
    }
  }, 3_600_000);
  test('any flipped bit of the sidecar is reported; the steps before it are read, and repair keeps both', () => {
    const flip = (at: number, bit: number): void => {
      const damaged = sidecar.slice();
      damaged[at]! ^= 1 << bit;
      const files = disk(log, damaged);
      const steps = stepsOf(files) as number;
      // A header that is damaged costs nothing: each row says which block it follows.
      expect(steps).toBe(at < SIDECAR_HEADER_SIZE ? BLOCK + 30 : BLOCK + rowsBefore(at));
      expect(readRun(PATH, files)!.torn).toMatch(/of the sidecar what is whole is used: it/);
      expect(recoverLog(PATH, files)).toMatchObject({
        steps,
        folded: steps - BLOCK,
        damage: expect.stringMatching(/damaged now$/),
      });
      expect(files.read(`${sidecarOf(PATH)}.damaged`)).toEqual(damaged);
      expect(stepsOf(files)).toBe(steps);
    };
    if (all) for (let bit = 0; bit < sidecar.length * 8; bit++) flip(bit >> 3, bit & 7);
    else fc.assert(fc.property(fc.nat({ max: sidecar.length - 1 }), fc.nat({ max: 7 }), flip), { numRuns: 150 });
  }, 3_600_000);
  /** How many rows of the sidecar end at or before this byte. */
  function rowsBefore(at: number): number {
    const view = new DataView(sidecar.buffer, sidecar.byteOffset, sidecar.length);
    let end = SIDECAR_HEADER_SIZE;
    for (let rows = 0; ; rows++) {
      end += 20 + view.getUint32(end, true);
      if (end > at) return rows;
    }
  }
});

describe('two writers', () => {
  test('of one run: the second is refused, and changes nothing', () => {
    const path = join(directory, 'two.xlog');
    const first = new FileStore({ path, header, durability: 'batch' });
    fill(first, 0, 3);
    first.acknowledge();
    const refused = `process ${process.pid} is writing this run`;
    expect(() => new FileStore({ path, header, durability: 'batch' })).toThrow(refused);
    expect(() => recoverLog(path)).toThrow(refused);
    fill(first, 3, 5);
    expect(first.close(end(5))).toEqual({ ok: true, steps: 5 });
    expect(readRun(path)).toMatchObject({ length: 5, end: end(5) });
  });
  test('a link is the run that it leads to: one writer, one sidecar, one lock', () => {
    const path = join(directory, 'linked.xlog');
    const link = join(directory, 'link.xlog');
    symlinkSync('linked.xlog', link);
    const first = new FileStore({ path, header, durability: 'batch' });
    fill(first, 0, 3);
    first.acknowledge();
    expect(readRun(link)).toMatchObject({ length: 3 });
    const refused = `process ${process.pid} is writing this run`;
    expect(() => new FileStore({ path: link, header, durability: 'batch' })).toThrow(refused);
    expect(() => recoverLog(link)).toThrow(refused);
    expect(first.close(end(3))).toEqual({ ok: true, steps: 3 });
    const second = new FileStore({ path: link, header, durability: 'batch' });
    expect([existsSync(`${path}-wal`), existsSync(`${link}-wal`)]).toEqual([true, false]);
    second.seal();
    expect(readRun(path)).toMatchObject({ length: 0 });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });
  test('the lock of a process that is no more is taken over', () => {
    const path = join(directory, 'stale.xlog');
    writeFileSync(`${path}-lock`, '999999999 12345\n');
    const store = new FileStore({ path, header, durability: 'batch' });
    store.seal();
    expect(existsSync(`${path}-lock`)).toBe(false);
  });
});
