import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nodeFiles } from '../../adapters/file-store/file-layer.ts';
import { scratchDirectory } from './program.ts';

const directory = scratchDirectory();
const openFiles = (): number => readdirSync('/proc/self/fd').length;

test('more files than may be open are read, and nothing stays open when they are closed', () => {
  const before = openFiles();
  const sources = Array.from({ length: 600 }, (_, n) => {
    writeFileSync(join(directory, `${n}`), `file ${n}`);
    return nodeFiles.source(join(directory, `${n}`))!;
  });
  expect(openFiles() - before).toBeLessThan(300);
  for (const n of [0, 599, 1, 300, 0]) expect(new TextDecoder().decode(sources[n]!.read(0, 99))).toBe(`file ${n}`);
  for (const [n, source] of sources.entries()) expect(source.read(5, 9)).toHaveLength(`${n}`.length);
  writeFileSync(join(directory, 'new'), 'other');
  renameSync(join(directory, 'new'), join(directory, '7'));
  expect(() => sources[7]!.read(0, 9)).toThrow(expect.objectContaining({ code: 'ESTALE' }));
  for (const source of sources) source.close!();
  expect(openFiles()).toBe(before);
});
