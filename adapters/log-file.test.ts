import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Log, LogError, LogWriter, type RunHeader } from '../events/log.ts';
import { Failure } from './failure.ts';
import { judgeLog, LogFile, openLog, sha256, UNUSABLE } from './log-file.ts';

const directory = mkdtempSync(join(tmpdir(), 'xenolog-log-'));
afterAll(() => rmSync(directory, { recursive: true }));
const path = join(directory, 'a.xlog');
const header: RunHeader = { xenolog: '0', seed: 1, xen_version: '4.17', host: {}, images: [] };

const failure = (use: () => unknown): Failure => {
  try {
    use();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error('it did not fail');
};

test('a log goes into a file as it is written, and is read back', () => {
  const file = new LogFile(path);
  const writer = new LogWriter(header, file.write, sha256);
  const early = readFileSync(path).length;
  writer.end({ steps: 0, state: 5, memory: 6 });
  file.close();
  expect(early).toBeGreaterThan(0);
  expect(readFileSync(path).length).toBe(file.size);
  expect(openLog(path).end).toEqual({ steps: 0, state: 5, memory: 6 });
  // The chain is the same as without node:crypto.
  expect(new Log(readFileSync(path)).end).toEqual({ steps: 0, state: 5, memory: 6 });
});

describe('what can not be done is a failure with its place', () => {
  test('a file that can not be made', () => {
    expect(failure(() => new LogFile(join(directory, 'no/a.xlog')))).toMatchObject({
      exitCode: 1,
      message: expect.stringContaining('no/a.xlog'),
    });
  });
  test('a device that is full', () => {
    const full = new LogFile('/dev/full');
    expect(failure(() => full.write(new Uint8Array(10))).message).toBe(
      'can not write the log: no space is left (/dev/full): free some space, or write elsewhere',
    );
    full.close();
  });
  test('a log that is none', () => {
    writeFileSync(path, 'hello');
    expect(failure(() => openLog(path))).toMatchObject({ exitCode: UNUSABLE });
    expect(failure(() => openLog(join(directory, 'none')))).toMatchObject({ exitCode: UNUSABLE });
  });
  test.each([
    [
      'block 3 is damaged: its checksum differs; take another copy',
      'block 3 is damaged: its checksum differs (F): take another copy',
    ],
    ['nothing to do', 'nothing to do (F): take another copy of the log'],
  ])('%j', (message, said) => {
    const refuse = (): never => {
      throw new LogError(message);
    };
    expect(failure(() => judgeLog('F', refuse)).message).toBe(said);
  });
  test('a bug of ours stays one', () => {
    const broken = (): never => {
      throw new TypeError('oops');
    };
    expect(() => judgeLog('F', broken)).toThrow(TypeError);
  });
});
