// One contract for every store, whatever keeps it, and for the layers that files and a database are to the file store.
import { spawn, spawnSync } from 'node:child_process';
import { basename, dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openCache } from '../../adapters/file-store/cache-file.ts';
import { compactRun } from '../../adapters/file-store/compact.ts';
import { type FileLayer, nodeFiles, writeAll } from '../../adapters/file-store/file-layer.ts';
import { type Durability, durabilities, FileStore } from '../../adapters/file-store/file-store.ts';
import { lockOf } from '../../adapters/file-store/lock.ts';
import { findParts, numbersBeside, partPath } from '../../adapters/file-store/parts.ts';
import { readRun, recoverLog } from '../../adapters/file-store/recover.ts';
import { removeRun } from '../../adapters/file-store/remove.ts';
import { resumeRun } from '../../adapters/file-store/resume.ts';
import { placeFor, placeOf, type RunPlace } from '../../adapters/run-place.ts';
import { STEPS_PER_BLOCK } from '../../events/log.ts';
import { type EventStore, MemoryStore } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';
import { MemoryMedium } from '../../replay/index.ts';
import { FailingFiles, FaultyFiles } from './faulty-files.ts';
import { root, scratchDirectory } from './program.ts';
import { appendStep, end, fill, header, pieceOf, stepOf } from './store-run.ts';

const BLOCK = STEPS_PER_BLOCK;
const digestAt = (seq: number) => ({ seq, state: seq + 1, memory: 2, actors: 3, executors: 4 });
const checkpoint = Uint8Array.from({ length: 10_000 }, (_, n) => n % 251);
/** Steps as text: thousands of them are compared at once. */
const textOf = (steps: Iterable<Step>): string => Array.from(steps, (step) => JSON.stringify(step)).join('\n');
const lines = Array.from({ length: 2 * BLOCK + 50 }, (_, seq) => JSON.stringify(stepOf(seq)));
const expected = (to: number, from = 0): string => lines.slice(from, to).join('\n');

const directory = scratchDirectory();
let runs = 0;

interface Kind {
  readonly name: string;
  readonly durability: Durability;
  /** A name for a run that there is not yet; undefined for what outlives nobody. */
  readonly newName: (() => string) | undefined;
}
const kinds: readonly Kind[] = [
  { name: 'memory', durability: 'strict', newName: undefined },
  ...durabilities.map((durability) => ({
    name: `file, ${durability}`,
    durability,
    newName: () => join(directory, `${runs++}.xlog`),
  })),
  ...durabilities.map((durability) => ({
    name: `lmdb, ${durability}`,
    durability,
    newName: () => `lmdb:${join(directory, `lmdb-${durability}`)}#run ${runs++}`,
  })),
];
const kept = kinds.flatMap(({ newName, ...kind }) => (newName && kind.durability !== 'none' ? [{ ...kind, newName }] : []));

/** A store, and what it keeps as files would have it. */
function begun({ durability, newName }: Kind): { readonly store: EventStore; readonly files: () => readonly Uint8Array[] } {
  if (!newName) {
    const store = new MemoryStore(header);
    return { store, files: () => store.files() };
  }
  const place = placeFor(newName(), durability);
  return { store: new FileStore({ ...place, header, durability }), files: () => filesOf(place) };
}
const filesOf = ({ path, files }: RunPlace): Uint8Array[] =>
  findParts(path, files)!.files.map(({ source }) => Uint8Array.from(source.read(0, source.size)));

describe.each(kinds)('a store ($name)', (kind) => {
  const { name, durability } = kind;
  /** Without a sidecar nothing but sealed blocks is kept. */
  const readable = (steps: number) => (durability === 'none' ? steps - (steps % BLOCK) : steps);

  test.each([0, 1, 9, BLOCK, BLOCK + 3])('reads back %i acknowledged steps while the run goes on', (steps) => {
    const { store } = begun(kind);
    fill(store, 0, steps);
    expect(store.acknowledge()).toEqual({ ok: true, steps });
    const log = store.read();
    expect(textOf(log.steps())).toBe(expected(readable(steps)));
    expect([...log.blobs()]).toEqual(Array.from({ length: Math.ceil(readable(steps) / 700) }, (_, n) => pieceOf(n * 700)));
    expect(log.end).toBeUndefined();
    store.seal();
  });
  test('a closed run reads as closed, and takes nothing more', () => {
    const { store } = begun(kind);
    fill(store, 0, 5);
    expect(store.close(end(5))).toEqual({ ok: true, steps: 5 });
    appendStep(store, 5);
    expect(store.acknowledge()).toEqual({ ok: true, steps: 5 });
    expect(store.rotate(end(5), checkpoint)).toEqual({ ok: true, steps: 5 });
    expect(store.read()).toMatchObject({ length: 5, parts: 1, end: end(5), torn: undefined });
  });
  test('a sealed run reads as cut', () => {
    const { store } = begun(kind);
    fill(store, 0, 5);
    expect(store.seal()).toEqual({ ok: true, steps: 5 });
    expect(store.read()).toMatchObject({ length: 5, end: undefined, torn: expect.stringContaining('not closed') });
  });
  test('has the digests of the host, before and after their block is sealed', () => {
    const { store } = begun(kind);
    for (let seq = 0; seq < BLOCK + 9; seq++) {
      if (seq === 7 || seq === BLOCK + 5) store.addDigest(digestAt(seq));
      appendStep(store, seq);
      if (seq === 8 || seq === BLOCK + 8) {
        store.acknowledge();
        const there = [7, BLOCK + 5].filter((at) => at < readable(seq + 1));
        expect([...store.read().digests()]).toEqual(there.map(digestAt));
      }
    }
    store.close(end(BLOCK + 9));
    expect([...store.read().digests()]).toEqual([7, BLOCK + 5].map(digestAt));
  });
  test('that is rotated reads as one, whole and while it goes on, and is the files that all others make of it', () => {
    const { store, files } = begun(kind);
    fill(store, 0, BLOCK + 11);
    expect(store.rotate(end(BLOCK + 11), checkpoint)).toEqual({ ok: true, steps: BLOCK + 11 });
    fill(store, BLOCK + 11, BLOCK + 20);
    store.acknowledge();
    const so_far = store.read();
    const length = durability === 'none' ? BLOCK + 11 : BLOCK + 20;
    expect(so_far).toMatchObject({ length, parts: 2, end: undefined });
    expect(textOf(so_far.steps())).toBe(expected(length));
    expect(store.rotate(end(BLOCK + 20), checkpoint)).toEqual({ ok: true, steps: BLOCK + 20 });
    expect(store.rotate(end(BLOCK + 20), checkpoint)).toEqual({ ok: true, steps: BLOCK + 20 });
    fill(store, BLOCK + 20, 2 * BLOCK + 40);
    expect(store.close(end(2 * BLOCK + 40))).toEqual({ ok: true, steps: 2 * BLOCK + 40 });
    const log = store.read();
    expect(log).toMatchObject({ length: 2 * BLOCK + 40, parts: 4, lastPart: 4, torn: undefined, end: end(2 * BLOCK + 40) });
    expect(textOf(log.steps())).toBe(expected(2 * BLOCK + 40));
    expect(files()).toEqual(rotatedFiles());
  });
  test('an answer counts the steps of all parts', () => {
    const { store } = begun(kind);
    fill(store, 0, 3);
    store.rotate(end(3), checkpoint);
    fill(store, 3, 5);
    expect(store.acknowledge()).toEqual({ ok: true, steps: 5 });
    expect(store.seal()).toEqual({ ok: true, steps: 5 });
    expect([name, store.read().length]).toEqual([name, 5]);
  });
});

let rotated: Uint8Array[] | undefined;
/** What the file store makes of the rotated run in a file system of its own. */
function rotatedFiles(): Uint8Array[] {
  if (rotated) return rotated;
  const files = new FaultyFiles();
  const store = new FileStore({ path: 'a.xlog', header, durability: 'batch', files });
  let from = 0;
  for (const to of [BLOCK + 11, BLOCK + 20, BLOCK + 20]) {
    fill(store, from, to);
    store.rotate(end(to), checkpoint);
    from = to;
  }
  fill(store, from, 2 * BLOCK + 40);
  store.close(end(2 * BLOCK + 40));
  rotated = filesOf({ path: 'a.xlog', files });
  return rotated;
}

/** As kill -9 leaves it: nothing is ended, and the lock's process is no more. */
function killed({ path, files }: RunPlace): void {
  files.unlink(lockOf(path));
}

describe.each(kept)('a run ($name)', (kind) => {
  const { durability, newName } = kind;
  const store = (place: RunPlace) => new FileStore({ ...place, header, durability });

  test('from any part on stands for itself, whichever way it is named', () => {
    const name = newName();
    const place = placeFor(name, durability);
    const one = store(place);
    for (const [from, to] of [
      [0, 10],
      [10, 30],
      [30, 31],
    ] as const) {
      fill(one, from, to);
      one.rotate(end(to), checkpoint);
    }
    fill(one, 31, 40);
    one.close(end(40));
    for (const [number, first] of [
      [1, 0],
      [2, 10],
      [3, 30],
      [4, 31],
    ] as const) {
      const { path, files } = placeOf(partPath(name, number));
      const log = readRun(path, files)!;
      expect(log).toMatchObject({ first, length: 40, parts: 5 - number, lastPart: 4, end: end(40) });
      expect(textOf(log.steps())).toBe(expected(40, first));
      expect(number === 1 ? undefined : log.start).toEqual(number === 1 ? undefined : checkpoint);
    }
    expect(readRun(partPath(place.path, 5), place.files)).toBeUndefined();
  });
  test('has one writer, whichever of its parts somebody else names', () => {
    const place = placeFor(newName(), durability);
    const first = store(place);
    fill(first, 0, 3);
    first.rotate(end(3), checkpoint);
    fill(first, 3, 5);
    first.acknowledge();
    const refused = `process ${process.pid} is writing this run`;
    expect(() => store(place)).toThrow(refused);
    expect(() => resumeRun({ ...place, durability })).toThrow(refused);
    for (const path of [place.path, partPath(place.path, 2)])
      for (const change of [recoverLog, compactRun, (one: string, files: FileLayer) => removeRun(one, 'all', files)])
        expect(() => change(path, place.files)).toThrow(refused);
    fill(first, 5, 9);
    expect(first.close(end(9))).toEqual({ ok: true, steps: 9 });
    expect(readRun(place.path, place.files)).toMatchObject({ length: 9, end: end(9) });
    expect(place.files.read(lockOf(place.path))).toBeUndefined();
  });
  test('whose writer is no more is taken over', () => {
    const place = placeFor(newName(), durability);
    const fd = place.files.open(lockOf(place.path), 'create');
    place.files.write(fd, new TextEncoder().encode('999999999 12345\n'));
    place.files.close(fd);
    store(place).seal();
    expect(place.files.read(lockOf(place.path))).toBeUndefined();
  });
  test('that is written again is replaced with all of its parts, and no other', () => {
    const [place, other] = [placeFor(newName(), durability), placeFor(newName(), durability)];
    for (const one of [place, other]) {
      const writer = store(one);
      fill(writer, 0, 3);
      writer.rotate(end(3), checkpoint);
      writer.close(end(3));
    }
    const again = store(place);
    fill(again, 0, 2);
    again.close(end(2));
    expect(readRun(place.path, place.files)).toMatchObject({ length: 2, parts: 1, end: end(2) });
    expect(readRun(other.path, other.files)).toMatchObject({ length: 3, parts: 2 });
  });
  test('goes on after a kill where it was, again and again, and is what all others make of it', () => {
    const take = (place: RunPlace): Uint8Array[] => {
      const first = store(place);
      fill(first, 0, BLOCK + 7);
      first.rotate(end(BLOCK + 7), checkpoint);
      fill(first, BLOCK + 7, BLOCK + 12);
      first.acknowledge();
      for (const to of [BLOCK + 20, BLOCK + 30]) {
        killed(place);
        const stopped = resumeRun({ ...place, durability })!;
        const from = stopped.log.length;
        expect(stopped.recovery).toMatchObject({ steps: from, folded: from === BLOCK + 12 ? 5 : 8, closed: false });
        const next = stopped.goOn(checkpoint);
        fill(next, from, to);
        expect(next.acknowledge()).toEqual({ ok: true, steps: to });
        if (to === BLOCK + 30) next.close(end(to));
        else killed(place);
        if (to !== BLOCK + 30) {
          const fd = place.files.open(lockOf(place.path), 'create');
          place.files.close(fd);
        }
      }
      expect(textOf(readRun(place.path, place.files)!.steps())).toBe(expected(BLOCK + 30));
      return filesOf(place);
    };
    const disk = new FaultyFiles();
    const model = take({ path: 'a.xlog', files: disk });
    expect(model).toHaveLength(4);
    expect(take(placeFor(newName(), durability))).toEqual(model);
  });
  test('keeps checkpoints beside it, which may go at any time', () => {
    const place = placeFor(newName(), durability);
    const writer = store(place);
    fill(writer, 0, 5);
    writer.close(end(5));
    const log = readRun(place.path, place.files)!;
    const { cache } = place.files;
    expect(openCache(place.path, log, 'read', cache)).toBeUndefined();
    openCache(place.path, log, 'write', cache).close();
    const there = openCache(place.path, log, 'read', cache)!;
    expect([there.cache.list(), there.cache.problem]).toEqual([[], undefined]);
    there.close();
    expect(removeRun(place.path, 'checkpoints', place.files)).toHaveLength(1);
    expect(openCache(place.path, log, 'read', cache)).toBeUndefined();
    expect(removeRun(place.path, 'checkpoints', place.files)).toEqual([]);
    expect(readRun(place.path, place.files)!.length).toBe(5);
    removeRun(place.path, 'all', place.files);
    expect(readRun(place.path, place.files)).toBeUndefined();
  });
  test('whose name ends with a number is none of another', () => {
    const numbered = (number: string): RunPlace => {
      const name = newName();
      const first = name.endsWith('.xlog') ? name.replace('.xlog', `.${number}.xlog`) : name.replace(/#.*/, `#${number}`);
      return placeFor(first, durability);
    };
    const place = numbered('2024');
    const writer = store(place);
    fill(writer, 0, 3);
    writer.rotate(end(3), checkpoint);
    writer.close(end(3));
    expect(numbersBeside(place.path, place.files)).toEqual([1, 2]);
    expect(readRun(place.path, place.files)).toMatchObject({ length: 3, parts: 2 });
    expect(removeRun(place.path, 'all', place.files)).toHaveLength(2);
    expect(numbersBeside(place.path, place.files)).toEqual([]);
  });
  test('is read while another process writes it: every acknowledged step is there, and each is as it was', async () => {
    const name = newName();
    await withWriter(name, durability, async (said) => {
      for (let n = 0; n < 25; n++) {
        const acknowledged = said();
        const { path, files } = placeOf(name);
        const log = readRun(path, files)!;
        expect(log.length).toBeGreaterThanOrEqual(acknowledged);
        const from = Math.max(0, log.length - 100);
        expect(textOf(log.steps(from))).toBe(textOf(Array.from({ length: log.length - from }, (_, i) => stepOf(from + i))));
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    });
  }, 60_000);
  test('on a disk that is full: the writer is told, and nothing acknowledged is lost', () => {
    // A database of its own: a file may grow to so many KiB, the database's too. (LMDB calls a write that was cut short EIO.)
    const name = newName().replace('#', '-full#');
    const writer = `ulimit -f 700; exec ${process.execPath} ${join(root, 'dist/test/e2e/store-run.js')} '${name}' ${durability}`;
    const { status, stdout, stderr } = spawnSync('bash', ['-c', writer], { encoding: 'utf8', maxBuffer: 1 << 28 });
    expect([status === 0, stderr]).toEqual([
      false,
      expect.stringMatching(/"problem":\{"call":"\w+","path":"[^"]+","code":"(EFBIG|EIO)"/),
    ]);
    const acknowledged = Number(stdout.trimEnd().split('\n').at(-1));
    expect(acknowledged).toBeGreaterThan(0);
    const { path, files } = placeOf(name);
    const log = readRun(path, files)!;
    expect(log.length).toBeGreaterThanOrEqual(acknowledged);
    expect(textOf(log.steps(log.length - 50))).toBe(textOf(Array.from({ length: 50 }, (_, i) => stepOf(log.length - 50 + i))));
    expect(recoverLog(path, files).steps).toBe(log.length);
  }, 60_000);
});

/** A process that appends to a run until it is killed; `said` is how many steps it has acknowledged. */
async function withWriter(name: string, durability: Durability, during: (said: () => number) => Promise<void>): Promise<number> {
  const child = spawn(process.execPath, [join(root, 'dist/test/e2e/store-run.js'), name, durability]);
  let said = '';
  const acknowledged = (): number => Number(said.slice(0, said.lastIndexOf('\n')).split('\n').at(-1));
  child.stdout.on('data', (text) => {
    said += text;
  });
  const gone = new Promise((resolve) => child.on('close', resolve));
  try {
    await new Promise((resolve) => child.stdout.once('data', resolve));
    await during(acknowledged);
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
  return acknowledged();
}

// XENOLOG_KILLS=1000 npx vitest run test/e2e/store-contract.test.ts -t 'kill -9' is the long form.
const kills = Number(process.env['XENOLOG_KILLS'] ?? 5);
describe.each(kept)('kill -9 ($name)', ({ durability, newName }) => {
  test(
    `${kills} times: no acknowledged step is lost, and a repair keeps what was read`,
    async () => {
      let lost = 0;
      const name = newName();
      for (let n = 0; n < kills; n++) {
        const acknowledged = await withWriter(
          name,
          durability,
          () => new Promise((resolve) => setTimeout(resolve, (n * 37) % 250)),
        );
        expect(acknowledged).toBeGreaterThan(0);
        const { path, files } = placeOf(name);
        const read = readRun(path, files)!;
        lost += Math.max(0, acknowledged - read.length);
        const { steps } = recoverLog(path, files);
        // LMDB may show a transaction whose writer was killed within it only to the next writer; nobody was told of it.
        if (name.startsWith('lmdb:')) expect(steps).toBeGreaterThanOrEqual(read.length);
        else expect(steps).toBe(read.length);
        let seq = 0;
        for (const step of readRun(path, files)!.steps())
          if (JSON.stringify(step) !== JSON.stringify(stepOf(seq++))) expect(step).toEqual(stepOf(step.seq));
        expect(seq).toBe(steps);
        expect(recoverLog(path, files)).toMatchObject({ steps, folded: 0 });
      }
      expect(lost).toBe(0);
    },
    Math.max(120_000, kills * 5_000),
  );
});

describe.each(['batch', 'strict'] as const)('any call of a database that fails (%s)', (durability) => {
  /** A run of two parts over a block's end, acknowledged now and then. */
  function recorded(place: RunPlace): { readonly acknowledged: number; readonly told: boolean } {
    let store: FileStore;
    try {
      store = new FileStore({ ...place, header, durability, clock: () => 0 });
    } catch {
      return { acknowledged: 0, told: true };
    }
    for (let seq = 0; seq < BLOCK + 40; seq += 1379) {
      if (seq > 1379 && seq < 4000) store.rotate(end(seq), checkpoint);
      fill(store, seq, Math.min(seq + 1379, BLOCK + 40));
      const told = store.acknowledge();
      if (!told.ok) expect(store.acknowledge()).toEqual(told);
    }
    const last = store.close(end(BLOCK + 40));
    if (!last.ok) expect(store.acknowledge()).toEqual(last);
    return { acknowledged: last.steps, told: !last.ok };
  }
  test('is told, stays told, and nothing acknowledged is lost', () => {
    const name = () => `lmdb:${join(directory, `faults-${durability}`)}#${runs++}`;
    const healthy = placeFor(name(), durability);
    const counting = new FailingFiles(healthy.files);
    expect(recorded({ path: healthy.path, files: counting })).toEqual({ acknowledged: BLOCK + 40, told: false });
    expect(counting.calls.length).toBeGreaterThan(20);
    for (let at = 0; at < counting.calls.length; at++)
      for (const forever of [false, true]) {
        const place = placeFor(name(), durability);
        const failing = new FailingFiles(place.files, { at, code: at % 2 === 0 ? 'MDB_MAP_FULL' : 'EIO', forever });
        const { acknowledged, told } = recorded({ path: place.path, files: failing });
        if (!told) expect(acknowledged).toBe(BLOCK + 40);
        if (acknowledged > 0) {
          const log = readRun(place.path, place.files)!;
          expect(log.length, `call ${at}: ${counting.calls[at]}`).toBeGreaterThanOrEqual(acknowledged);
          expect(textOf(log.steps())).toBe(expected(log.length));
        }
      }
  }, 300_000);
});

describe('layers', () => {
  const layers = (): readonly RunPlace[] => {
    const n = runs++;
    return [
      { path: 'a.xlog', files: new FaultyFiles() },
      { path: join(directory, `layer-${n}.xlog`), files: nodeFiles },
      placeFor(`lmdb:${join(directory, 'layers')}#${n}`, 'none'),
    ];
  };
  const anyCall = fc.oneof(
    fc.record({ call: fc.constant('write' as const), file: fc.nat(2), bytes: fc.uint8Array({ maxLength: 9000, size: 'max' }) }),
    fc.record({
      call: fc.constant('overwrite' as const),
      file: fc.nat(2),
      at: fc.nat(12_000),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 9000, size: 'max' }),
    }),
    fc.record({ call: fc.constant('truncate' as const), file: fc.nat(2), size: fc.nat(9000) }),
    fc.record({ call: fc.constantFrom('rename' as const, 'link' as const), file: fc.nat(2), to: fc.nat(2) }),
    fc.record({ call: fc.constantFrom('create' as const, 'unlink' as const), file: fc.nat(2) }),
    fc.record({ call: fc.constant('read' as const), file: fc.nat(2), at: fc.nat(20_000), length: fc.nat(9000) }),
  );
  test('a disk, a database and the one of the tests do the same at every call', () => {
    const names = ['', '-wal', '-other'];
    fc.assert(
      fc.property(fc.array(anyCall, { maxLength: 25 }), (calls) => {
        const told = layers().map(({ path, files }) => {
          const at = (file: number): string => path + names[file];
          const sizes = (): (number | undefined)[] => names.map((_, file) => sizeOf(files, at(file)));
          return calls.map((one) => {
            try {
              if (one.call === 'write') {
                const fd = files.open(at(one.file), 'append');
                for (let done = 0; done < one.bytes.length; ) done += files.write(fd, one.bytes.subarray(done));
                files.close(fd);
              } else if (one.call === 'overwrite') {
                const fd = files.open(at(one.file), 'create');
                files.write(fd, new Uint8Array(5000).fill(7));
                writeAll(files, fd, one.bytes, one.at);
                files.close(fd);
              } else if (one.call === 'truncate') {
                const size = Math.min(one.size, sizeOf(files, at(one.file)) ?? 0);
                const fd = files.open(at(one.file), 'append');
                files.truncate(fd, size);
                files.close(fd);
              } else if (one.call === 'create') files.close(files.open(at(one.file), 'create'));
              else if (one.call === 'unlink') files.unlink(at(one.file));
              else if (one.call === 'read') {
                const source = files.source(at(one.file));
                const bytes = source && Array.from(source.read(one.at, one.length));
                source?.close?.();
                return bytes;
                // Two names of one file would be one file on a disk: a store never goes on writing to either.
              } else if ('to' in one && one.file !== one.to && sizeOf(files, at(one.file)) !== undefined) {
                files[one.call](at(one.file), at(one.to));
                if (one.call === 'link') files.unlink(at(one.file));
              }
              return [
                sizes(),
                files
                  .names(dirname(path))
                  .filter((name) => name.startsWith(basename(path)))
                  .map((name) => name.slice(basename(path).length))
                  .sort(),
              ];
            } catch (error) {
              return [(error as { code?: string }).code, sizes()];
            }
          });
        });
        expect(told[1]).toEqual(told[0]);
        expect(told[2]).toEqual(told[0]);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
  test('checkpoints in a database lie as they do in memory', () => {
    const { cache } = placeFor(`lmdb:${join(directory, 'layers')}#cache`, 'none').files;
    const fd = cache!.open('lmdb:x', 'write');
    const medium = new MemoryMedium();
    fc.assert(
      fc.property(fc.nat(30_000), fc.uint8Array({ minLength: 1, maxLength: 9000, size: 'max' }), (where, bytes) => {
        const at = Math.min(where, medium.size);
        medium.write(at, bytes);
        cache!.write(fd, bytes, at);
        expect(cache!.size(fd)).toBe(medium.size);
        const into = new Uint8Array(5000);
        const from = Math.max(0, at - 2000);
        const count = cache!.read(fd, into, from);
        expect(into.subarray(0, count)).toEqual(medium.read(from, 5000));
      }),
      { numRuns: 80 },
    );
  });
});
const sizeOf = (files: FileLayer, path: string): number | undefined => {
  const source = files.source(path);
  source?.close?.();
  return source?.size;
};
