import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { nodeFiles } from './file-layer.ts';
import { type Processes, takeLock } from './lock.ts';

const directory = mkdtempSync(join(tmpdir(), 'xenolog-lock-'));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'a.xlog');
/** Process 10 is ours; 20 runs, and was started at 500. */
const processes: Processes = { own: 10, boot: 'b2', started: (pid) => ({ 10: '100', 20: '500' })[pid] };
const take = () => takeLock(path, nodeFiles, processes);

test('a lock names its process, and goes when it is released', () => {
  const lock = take();
  expect(readFileSync(`${path}-lock`, 'utf8')).toBe('10 100 b2\n');
  expect(take).toThrow(`process 10 is writing this run (${path})`);
  lock.release();
  expect(existsSync(`${path}-lock`)).toBe(false);
});
test.each([
  ['20 500\n', 'process 20 is writing this run'],
  ['20 \n', 'process 20 is writing this run'],
  ['20 500 b2\n', 'process 20 is writing this run'],
  ['hello', 'a program that this one does not know is writing this run'],
])('a lock %j is respected', (text, said) => {
  writeFileSync(`${path}-lock`, text);
  expect(take).toThrow(said);
  expect(readFileSync(`${path}-lock`, 'utf8')).toBe(text);
  rmSync(`${path}-lock`);
});
test.each([
  ['of a process that is gone', '30 7\n'],
  ['whose number another process has now', '20 499\n'],
  ['of a process before the machine was started anew, with our own number and time', '10 100 b1\n'],
  ['that a loss of power has left without its content', ''],
  ['... or with zeros for it', '\0\0\0\0'],
])('a lock %s is taken over', (_, text) => {
  writeFileSync(`${path}-lock`, text);
  take().release();
  expect(existsSync(`${path}-lock`)).toBe(false);
});
