import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SECOND } from '../../events/units.ts';
import { base64, toJsonLine } from '../../replay/export/jsonl.ts';
import { type Played, playLivecd } from '../livecd.ts';

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
});

test.each([
  [[], ''],
  [[0], 'AA=='],
  [[1, 2], 'AQI='],
  [[255, 254, 253, 252], '//79/A=='],
])('base64 of %j is %s', (bytes, text) => {
  expect(base64(Uint8Array.from(bytes))).toBe(text);
});
