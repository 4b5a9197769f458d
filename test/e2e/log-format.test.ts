import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { loadScenario } from '../../adapters/load-scenario.ts';
import { openLog } from '../../adapters/log-file.ts';
import { play } from '../../adapters/play.ts';
import { joined } from '../../events/bytes.ts';
import { SECOND } from '../../events/units.ts';
import { STATE_VERSION } from '../../events/upcast.ts';
import { Recording } from '../../machines/index.ts';
import { base64, toJsonLine } from '../../replay/export/jsonl.ts';
import { encodeStart, newHost } from '../../replay/index.ts';
import { type Played, playLivecd, SCENARIO } from '../livecd.ts';

const reader = new URL('../../examples/read-log.py', import.meta.url).pathname;
const python = spawnSync('python3', ['--version']).status === 0;

describe.skipIf(!python && process.env['CI'] === undefined)('a reader in another language (needs python3)', () => {
  const dir = mkdtempSync(join(tmpdir(), 'xenolog-'));
  const path = join(dir, 'run.xlog');
  let played: Played;
  beforeAll(() => {
    played = playLivecd(40 * SECOND);
    writeFileSync(path, played.file);
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  test('lists the same steps as ours', () => {
    const theirs = execFileSync('python3', [reader, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const ours = [...played.log.steps()].map((step) => `${toJsonLine(step)}\n`).join('');
    expect(theirs).toBe(ours);
  });

  test('lists the same facts', () => {
    const theirs = execFileSync('python3', [reader, path, '--facts'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    let count = 0;
    played.log.facts(() => count++);
    expect(theirs.split('\n')).toHaveLength(count + 1);
  });

  test('reads a run of several files, as ours does', () => {
    const parts = join(dir, 'parts.xlog');
    const { header, images, run } = loadScenario(SCENARIO);
    const recording = new Recording({ header, images, store: new FileStore({ path: parts, header, durability: 'none' }) });
    const playing = play(recording.dispatcher, run, 20 * SECOND);
    for (let n = 0; !playing.next().done; n++) if (n === 1 || n === 2) recording.rotate(encodeStart);
    recording.finish();
    const list = (path: string) => execFileSync('python3', [reader, path], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const ours = (path: string) => [...openLog(path).steps()].map((step) => `${toJsonLine(step)}\n`).join('');
    expect(openLog(parts).parts).toBe(3);
    expect(list(parts)).toBe(ours(parts));
    const second = join(dir, 'parts.2.xlog');
    expect(list(second)).toBe(ours(second));
    expect(ours(parts).endsWith(ours(second))).toBe(true);
    writeFileSync(second, readFileSync(join(dir, 'parts.3.xlog')));
    expect(spawnSync('python3', [reader, parts], { maxBuffer: 1 << 28 })).toMatchObject({ status: 2 });
  });

  test.each(['batch', 'strict'] as const)(
    'lists the steps of a run that was killed, in mode %s, with its sidecar',
    (durability) => {
      const live = join(dir, `${durability}.xlog`);
      const killed = join(dir, `${durability}-killed.xlog`);
      const { header, images, run } = loadScenario(SCENARIO);
      const recording = new Recording({ header, images, store: new FileStore({ path: live, header, durability }) });
      for (const _ of play(recording.dispatcher, run, 14 * SECOND)) if (recording.dispatcher.seq > 2000) break;
      recording.acknowledge();
      for (const file of ['', '-wal']) copyFileSync(`${live}${file}`, `${killed}${file}`);
      recording.finish();
      const log = openLog(killed);
      expect(log.torn).toMatch(/of its steps are from its sidecar/);
      const theirs = spawnSync('python3', [reader, killed], { encoding: 'utf8', maxBuffer: 1 << 28 });
      expect([theirs.status, theirs.stderr.trim()]).toEqual([0, log.torn]);
      expect(theirs.stdout).toBe([...log.steps()].map((step) => `${toJsonLine(step)}\n`).join(''));
    },
  );

  test('reads the tables and the store that a later file starts from, as they are', () => {
    const kept = new URL(`../golden/logs/state-${STATE_VERSION}.xlog`, import.meta.url).pathname;
    const theirs = execFileSync('python3', [reader, kept, '--start'], { encoding: 'utf8', maxBuffer: 1 << 28 });
    const host = newHost(openLog(kept));
    const ours: unknown[] = [];
    for (const table of host.allTables)
      for (const owner of table.ids()) {
        const unused = JSON.stringify(table.row(owner, 2 ** 31 - 1));
        for (let row = 0; row < table.of(owner)!.length; row++) {
          const columns = table.row(owner, row);
          if (JSON.stringify(columns) !== unused) ours.push({ table: table.name, owner, row, columns });
        }
      }
    for (const node of host.store.node('/')!.walk()) ours.push({ node: node.path, value: node.value });
    expect(
      theirs
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toEqual(ours);
    expect(ours.length).toBeGreaterThan(300);
  });

  test('refuses what is damaged, and reads what was cut as far as it goes', () => {
    const bad = join(dir, 'bad.xlog');
    const damaged = played.file.slice();
    damaged[damaged.length - 5000]! ^= 4;
    writeFileSync(bad, damaged);
    expect(spawnSync('python3', [reader, bad])).toMatchObject({ status: 2 });
    writeFileSync(bad, played.file.slice(0, -10));
    const cut = spawnSync('python3', [reader, bad], { maxBuffer: 1 << 28 });
    expect(cut.status).toBe(0);
    expect(String(cut.stderr)).toMatch(/cut off/);
  });

  test('refuses and reports what ours does, in the same words', () => {
    const bad = join(dir, 'bad.xlog');
    const { file } = played;
    const start = 20 + new DataView(file.buffer, file.byteOffset).getUint32(12, true);
    const flipped = (at: number): Uint8Array => {
      const bytes = file.slice();
      bytes[at]! ^= 4;
      return bytes;
    };
    const inputs: Uint8Array[] = [
      ...[0, 3, 8, 19, 20, start - 1, start, start + 1, start + 63, start + 64, start + 65, file.length - 1].map((length) =>
        file.subarray(0, length),
      ),
      ...[0, 9, 30, start, start + 5, start + 30, start + 62, start + 64, start + 5000, file.length - 20].map(flipped),
      joined([file, Uint8Array.of(0)]),
      joined([file, file.subarray(start)]),
    ];
    for (const bytes of inputs) {
      writeFileSync(bad, bytes);
      const theirs = spawnSync('python3', [reader, bad], { encoding: 'utf8', maxBuffer: 1 << 28 });
      let ours: { status: number; words: string };
      try {
        const log = openLog(bad);
        for (const _ of log.steps());
        ours = { status: 0, words: log.torn ?? '' };
      } catch (error) {
        // Where it is, and what to do about it, are our own.
        const words = (error as Error).message.replace(`${bad}`, '').replace(/ \(from step \d+\)/, '');
        ours = {
          status: 2,
          words: words.replace(/[;:] (take another|record the run|it does not start).*$/, '').replace(' ()', ''),
        };
      }
      const words = theirs.stderr.trim().replace(`${bad}: `, '');
      expect([bytes.length, theirs.status, words]).toEqual([bytes.length, ours.status, ours.words]);
    }
  });
});

test.each([
  [[], ''],
  [[0], 'AA=='],
  [[1, 2], 'AQI='],
  [[255, 254, 253, 252], '//79/A=='],
])('base64 of %j is %s', (bytes, text) => {
  expect(base64(Uint8Array.from(bytes))).toBe(text);
});
