// The built program, as a user runs it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export const root = join(import.meta.dirname, '../..');
export const main = join(root, 'dist/xenolog.js');
export const livecd = join(root, 'examples/livecd/livecd.yaml');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function xenolog(...args: readonly string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
  return { status, stdout, stderr };
}

/** A directory of one's own, removed after the tests of the file. */
export function scratchDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'xenolog-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
