// What can happen to the files of a run: cut anywhere, a bit flipped anywhere, a call that fails, power that is lost. Nothing that was
// acknowledged is lost while it can be read, and nothing is ever read as something else.
//
//   XENOLOG_FAULTS=all npx vitest run test/e2e/faults.test.ts    every byte and every bit, where CI takes some

import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileLayer } from '../../adapters/file-store/file-layer.ts';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { readRun, recoverLog } from '../../adapters/file-store/recover.ts';
import { sidecarOf } from '../../adapters/file-store/sidecar.ts';
import { sha256 } from '../../adapters/log-file.ts';
import { STEPS, sealBlock } from '../../events/block.ts';
import { BlockEncoder } from '../../events/block-encoder.ts';
import { joined } from '../../events/bytes.ts';
import { encodeHeader } from '../../events/header.ts';
import { Log, LogError, STEPS_PER_BLOCK } from '../../events/log.ts';
import { MemoryStore } from '../../events/store.ts';
import { SECOND } from '../../events/units.ts';
import { CheckpointCache, MemoryMedium, newestCheckpoint, reenact, resumeHost } from '../../replay/index.ts';
import { playLivecd, withDigests } from '../livecd.ts';
import { FaultyFiles } from './faulty-files.ts';
import { livecd, main, scratchDirectory, xenolog } from './program.ts';
import { appendStep, header, stepOf } from './store-run.ts';

const PATH = 'a.xlog';
const all = process.env['XENOLOG_FAULTS'] === 'all';
const directory = scratchDirectory();

function closed(steps: number): Uint8Array {
  const store = new MemoryStore(header);
  for (let seq = 0; seq < steps; seq++) appendStep(store, seq);
  store.close({ steps, state: 1, memory: 2 });
  return store.bytes();
}
const disk = (files: Readonly<Record<string, Uint8Array>>): FaultyFiles => {
  const made = new FaultyFiles();
  for (const [path, bytes] of Object.entries(files)) made.disk.set(path, { bytes, synced: bytes });
  return made;
};
/** A refusal that says so, or steps that are those of the run. */
function readable(files: FaultyFiles): { readonly steps: number; readonly torn: string | undefined } | 'refused' {
  try {
    const run = readRun(PATH, files)!;
    let seq = 0;
    for (const step of run.steps()) {
      if (JSON.stringify(step) !== JSON.stringify(stepOf(seq))) expect(step).toEqual(stepOf(seq));
      seq++;
    }
    expect(seq).toBe(run.length);
    return { steps: seq, torn: run.torn };
  } catch (error) {
    if (error instanceof LogError) return 'refused';
    throw error;
  }
}

describe('a log', () => {
  const file = closed(40);
  const headerSize = encodeHeader(header).length;
  test('that is cut off anywhere has all of its steps, or none, and says so', () => {
    const offsets = Array.from({ length: file.length }, (_, size) => size).filter(
      (size) => all || size % 997 === 0 || (size > headerSize - 30 && size % 7 === 0) || size > file.length - 90,
    );
    for (const size of offsets) {
      const found = readable(disk({ [PATH]: file.slice(0, size) }));
      if (size < headerSize) expect([size, found]).toEqual([size, 'refused']);
      else expect(found).toMatchObject({ torn: expect.stringMatching(/cut off|not closed/) });
      if (found !== 'refused') expect([0, 40]).toContain(found.steps);
    }
  }, 1_200_000);
  test('with any bit flipped is refused', () => {
    const bits = Array.from({ length: file.length * 8 }, (_, bit) => bit).filter(
      (bit) => all || bit % 5003 === 0 || (bit > headerSize * 8 && bit % 101 === 0),
    );
    for (const bit of bits) {
      const damaged = file.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      const found = readable(disk({ [PATH]: damaged }));
      if (found !== 'refused') expect([bit, found.torn]).toEqual([bit, expect.any(String)]);
      // A block whose length says that more should follow than there is reads as one that was never finished.
      if (found !== 'refused') expect(found.steps).toBe(0);
    }
  }, 3_600_000);
});

describe('a block that the disk has only in part when the power goes', () => {
  // The sidecar still has all rows but the last: it is emptied only when the block is safe.
  const files = new FaultyFiles();
  const store = new FileStore({ path: PATH, header, durability: 'batch', files, clock: () => 0 });
  for (let seq = 0; seq < STEPS_PER_BLOCK - 1; seq++) appendStep(store, seq);
  store.acknowledge();
  const before = files.read(PATH)!.slice();
  const sidecar = files.read(sidecarOf(PATH))!.slice();
  appendStep(store, STEPS_PER_BLOCK - 1);
  const block = files.read(PATH)!.slice(before.length);
  store.seal();
  const lost: readonly (readonly [string, (block: Uint8Array) => Uint8Array])[] = [
    ['is all zeros', (bytes) => bytes.map(() => 0)],
    ['has zeros in its header', (bytes) => bytes.map((byte, at) => (at < 64 ? 0 : byte))],
    ['has zeros at its end', (bytes) => bytes.map((byte, at) => (at > bytes.length / 2 ? 0 : byte))],
    ['has a sector of zeros', (bytes) => bytes.map((byte, at) => (at >= 20_480 && at < 20_992 ? 0 : byte))],
    ['is half as long', (bytes) => bytes.slice(0, bytes.length / 2)],
  ];
  test.each(lost)('and that %s: every acknowledged step is read, and kept by a repair', (_, losing) => {
    const after = disk({ [PATH]: joined([before, losing(block)]), [sidecarOf(PATH)]: sidecar });
    expect(readable(after)).toMatchObject({ steps: STEPS_PER_BLOCK - 1 });
    expect(recoverLog(PATH, after)).toMatchObject({ steps: STEPS_PER_BLOCK - 1, folded: STEPS_PER_BLOCK - 1 });
    expect(readable(after)).toMatchObject({ steps: STEPS_PER_BLOCK - 1 });
  });
});

describe.each(['ENOSPC', 'EIO'])('%s while a run is rotated', (code) => {
  /** Steps in three files, acknowledged now and then. */
  function rotated(files: FaultyFiles): { acknowledged: number; told: boolean } {
    let store: FileStore;
    try {
      store = new FileStore({ path: PATH, header, durability: 'strict', files, clock: () => 0 });
    } catch {
      return { acknowledged: 0, told: true };
    }
    for (let seq = 0; seq < 90; seq++) {
      if (seq === 30 || seq === 60) store.rotate({ steps: seq, state: 1, memory: 2 }, Uint8Array.of(1));
      appendStep(store, seq);
      if (seq % 7 === 0) store.acknowledge();
    }
    const last = store.seal();
    return { acknowledged: last.steps, told: !last.ok };
  }
  test('at every call in turn: told, and nothing acknowledged is lost', () => {
    const healthy = new FaultyFiles();
    expect(rotated(healthy)).toEqual({ acknowledged: 90, told: false });
    for (let at = 0; at < healthy.calls.length; at++)
      for (const forever of [false, true]) {
        const files = new FaultyFiles();
        files.fault = { at, code, forever };
        const { acknowledged, told } = rotated(files);
        if (!told) expect(acknowledged).toBe(90);
        if (acknowledged === 0) continue;
        const found = readable(files.restarted('memory'));
        expect(found).not.toBe('refused');
        if (found !== 'refused') expect(found.steps).toBeGreaterThanOrEqual(acknowledged);
      }
  }, 300_000);
});

describe('checkpoints', () => {
  const { log: recorded } = playLivecd(16 * SECOND);
  const medium = new MemoryMedium();
  {
    const cache = new CheckpointCache(medium, recorded.run);
    let next = 500;
    reenact(recorded, {
      onQuiet: (dispatcher) => {
        if (dispatcher.seq < next) return;
        next = dispatcher.seq + 700;
        cache.write(dispatcher.checkpoint(), dispatcher.digest());
      },
    });
  }
  const whole = medium.read(0, medium.size);
  const digestAt = new Map(new CheckpointCache(medium, recorded.run).list().map(({ seq, digest }) => [seq, digest]));
  const played = { log: withDigests(recorded, digestAt.values()) };

  test('with any bit flipped, or cut off anywhere: an older one, or none, and never another host', () => {
    const times = all ? 3000 : 60;
    let older = 0;
    for (let n = 0; n < times; n++) {
      const at = Math.floor((whole.length * ((n * 7919) % times)) / times);
      const damaged = n % 3 === 0 ? whole.slice(0, at) : whole.slice();
      if (n % 3 > 0) damaged[at]! ^= 1 << (n & 7);
      const cache = new CheckpointCache(new MemoryMedium(damaged), played.log.run);
      const { checkpoint, rejected } = newestCheckpoint(played.log, cache);
      if (!checkpoint || rejected.length > 0 || cache.problem !== undefined) older++;
      if (!checkpoint) continue;
      const { dispatcher } = reenact(played.log, { from: checkpoint, until: checkpoint.seq });
      expect(dispatcher.digest()).toEqual(digestAt.get(checkpoint.seq));
    }
    expect(older).toBeGreaterThan(times / 2);
  }, 1_200_000);
  test('what is damaged is written over by the next one', () => {
    const damaged = whole.slice(0, whole.length - 5);
    const again = new MemoryMedium(damaged);
    const cache = new CheckpointCache(again, played.log.run);
    expect(cache.problem).toMatch(/damaged after \d+ checkpoints/);
    const { dispatcher } = reenact(played.log);
    cache.write(dispatcher.checkpoint(), dispatcher.digest());
    const reopened = new CheckpointCache(again, played.log.run);
    expect(reopened.problem).toBeUndefined();
    expect(newestCheckpoint(played.log, reopened)).toMatchObject({ rejected: [], checkpoint: { seq: played.log.length } });
  });
  test('of another run are none of this one', () => {
    const cache = new CheckpointCache(new MemoryMedium(whole), '11'.repeat(32));
    expect(cache.problem).toBe('it belongs to another run');
    expect(cache.list()).toEqual([]);
  });
  test('thrown away: the same host at the end', () => {
    const cached = resumeHost(played.log, new CheckpointCache(medium, played.log.run));
    const from0 = resumeHost(played.log, undefined);
    expect(cached.from).toBeGreaterThan(0);
    expect([cached.divergence, from0.divergence, from0.from]).toEqual([null, null, 0]);
    expect(cached.dispatcher.digest()).toEqual(from0.dispatcher.digest());
  });
  test('of a run that has begun in the same way are none of this one', () => {
    const cache = new CheckpointCache(new MemoryMedium(whole), recorded.run);
    const others = withDigests(
      recorded,
      [...digestAt.values()].map((digest) => ({ ...digest, state: (digest.state ^ 1) >>> 0 })),
    );
    const { checkpoint, rejected } = newestCheckpoint(others, cache);
    expect(checkpoint).toBeUndefined();
    expect(new Set(rejected.map(({ why }) => why))).toEqual(new Set(['the log has another digest']));
    const none = newestCheckpoint(recorded, cache);
    expect(none.checkpoint).toBeUndefined();
    expect(new Set(none.rejected.map(({ why }) => why))).toEqual(new Set(['the log has no digest to compare it with']));
  });
  test('whose digest the log does not have are rejected', () => {
    const cache = new CheckpointCache(new MemoryMedium(), played.log.run);
    const [first, second] = [...digestAt.keys()];
    const good = new CheckpointCache(medium, played.log.run);
    cache.write({ ...good.read(first!)!, seq: second! }, digestAt.get(second!)!);
    expect(newestCheckpoint(played.log, cache)).toEqual({ rejected: [{ seq: second, why: 'it is not what was written' }] });
  });
});

/** A file layer that counts what is read of files that are in memory. */
function counting(files: FaultyFiles): { readonly layer: FileLayer; readonly bytes: () => number } {
  let bytes = 0;
  const layer = Object.assign(Object.create(files) as FileLayer, {
    source(path: string) {
      const found = files.source(path);
      return found && { ...found, read: (at: number, length: number) => count(found.read(at, length)) };
    },
    read: (path: string) => {
      const found = files.read(path);
      return found && count(found);
    },
  });
  const count = (part: Uint8Array): Uint8Array => {
    bytes += part.length;
    return part;
  };
  return { layer, bytes: () => bytes };
}

test('to open a log and to read a step in the middle takes under 2 % of it', () => {
  const encoder = new BlockEncoder();
  for (let seq = 0; seq < STEPS_PER_BLOCK; seq++) encoder.add(stepOf(seq));
  const payload = encoder.flush();
  const parts = [encodeHeader(header)];
  let chain = sha256(parts[0]!);
  for (let block = 0; block < 600; block++) {
    const sealed = sealBlock({ kind: STEPS, count: STEPS_PER_BLOCK, firstSeq: block * STEPS_PER_BLOCK }, payload, chain, sha256);
    chain = sealed.chain;
    parts.push(sealed.header, payload);
  }
  const file = joined(parts);
  const { layer, bytes } = counting(disk({ [PATH]: file }));
  const log = readRun(PATH, layer)!;
  const seq = 333 * STEPS_PER_BLOCK + 77;
  expect(log.around(seq)[77]!.command).toEqual(stepOf(77).command);
  expect(bytes()).toBeLessThan(file.length * 0.02);
});

describe('a run is what it is of, and of nothing else', () => {
  test('on two days, in two time zones, in folders of different names: the same file', () => {
    const made = ['monday', 'a folder of another name'].map((name, n) => {
      const folder = join(directory, name);
      mkdirSync(folder);
      const later = `data:text/javascript,const { now } = Date; Date.now = () => now() + ${n} * 86_400_000 * 40;`;
      const { status } = spawnSync(process.execPath, ['--import', later, main, 'run', livecd, '--quiet', '-o', 'run.xlog'], {
        cwd: folder,
        env: { ...process.env, TZ: n === 0 ? 'UTC' : 'Pacific/Auckland', LANG: n === 0 ? 'C' : 'tr_TR.UTF-8' },
      });
      expect(status).toBe(0);
      return readFileSync(join(folder, 'run.xlog'));
    });
    expect(made[0]!.equals(made[1]!)).toBe(true);
  }, 120_000);
  test('its log alone, in an empty folder, is re-enacted to the same digests', () => {
    const folder = join(directory, 'empty');
    const examples = join(directory, 'examples');
    mkdirSync(folder);
    mkdirSync(examples);
    spawnSync('cp', ['-r', `${dirname(livecd)}/.`, examples]);
    expect(xenolog('run', join(examples, 'livecd.yaml'), '--quiet', '-o', join(examples, 'run.xlog')).status).toBe(0);
    copyFileSync(join(examples, 'run.xlog'), join(folder, 'run.xlog'));
    rmSync(examples, { recursive: true });
    const { status, stdout } = spawnSync(process.execPath, [main, 'replay', 'run.xlog', '--reenact', '--json'], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { closed: true, replays: [{ replay: 'reenact', same: true }] }]);
    const log = new Log(new Uint8Array(readFileSync(join(folder, 'run.xlog'))));
    expect(log.end!.state).toBeGreaterThan(0);
  }, 120_000);
});
