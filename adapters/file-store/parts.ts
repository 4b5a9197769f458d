// The files of a run: RUN.xlog, then RUN.2.xlog, RUN.3.xlog ...; in a database lmdb:DIRECTORY#RUN, then lmdb:DIRECTORY#RUN#2 ...

import { basename, dirname } from 'node:path';
import { BLOCK_HEADER_SIZE, readBlockHeader, STEPS } from '../../events/block.ts';
import { hexOf } from '../../events/bytes.ts';
import { LogError, type Part, readHeader } from '../../events/header.ts';
import type { Source } from '../../events/source.ts';
import { isLmdbAddress } from '../lmdb-store/address.ts';
import { type FileLayer, isThere } from './file-layer.ts';
import { sha256 } from './sha256.ts';
import { sidecarOf } from './sidecar.ts';

const EXTENSION = '.xlog';

/** Where the checkpoints of a run are kept whose first file is `path`. */
export const cacheOf = (path: string): string => `${path}-cache`;

/** Where file `number` of a run is whose first file is `path`. */
export function partPath(path: string, number: number): string {
  if (number === 1) return path;
  const [stem, joint, extension] = split(path);
  return `${stem}${joint}${number}${extension}`;
}
const split = (path: string): readonly [stem: string, joint: string, extension: string] => {
  if (isLmdbAddress(path)) return [path, '#', ''];
  return path.endsWith(EXTENSION) ? [path.slice(0, -EXTENSION.length), '.', EXTENSION] : [path, '.', ''];
};

/** The first file's place, from that of file `number`: the same where the file has another name than it would get. */
export function firstPath(path: string, number: number): string {
  const [stem, joint, extension] = split(path);
  const ending = `${joint}${number}`;
  return number > 1 && stem.endsWith(ending) ? stem.slice(0, -ending.length) + extension : path;
}

export interface PartFile {
  readonly path: string;
  readonly source: Source;
}

export interface PartFiles {
  /** Where the first file is, or would be. */
  readonly path: string;
  readonly files: readonly PartFile[];
  /** Which run it is: SHA-256 of its first header, in hexadecimal digits. */
  readonly run: string;
  /** A file that stands where the next one would be and is not it, and why, for people. */
  readonly stranger: { readonly path: string; readonly why: string; readonly isOfAnother: boolean } | undefined;
  /** Where the next file is missing: the first one behind it that is of this run. */
  readonly beyond: string | undefined;
}

/** The file where the lock of a run belongs: its first one, whichever was named. */
export function lockedPath(path: string, layer: FileLayer): string {
  try {
    const source = layer.source(path);
    if (!source) return path;
    const part = partOf(source);
    source.close?.();
    return firstPath(path, part?.number ?? 1);
  } catch {
    // Whoever goes on to read it says what is wrong.
    return path;
  }
}

/** The numbers of the files that have the names of a run's, in order. `path` is that of the first. */
export function numbersBeside(path: string, layer: FileLayer): number[] {
  const there = new Set(layer.names(dirname(path)));
  const numbers: number[] = [];
  for (const name of there) {
    // The first file may have a number in its own name: run.2024.xlog.
    const number = name === basename(path) ? 1 : Number(/[.#](\d+)(?:\.xlog)?$/.exec(name)?.[1] ?? 1);
    if (basename(partPath(path, number)) === name) numbers.push(number);
  }
  return numbers.sort((a, b) => a - b);
}

/** The first of the last files that follow each other without a gap; undefined where there is none. `path` is that of the first file. */
export function lastGroup(path: string, layer: FileLayer): string | undefined {
  const numbers = numbersBeside(path, layer);
  let at = numbers.length - 1;
  if (at < 0) return undefined;
  while (at > 0 && numbers[at - 1] === numbers[at]! - 1) at--;
  return partPath(path, numbers[at]!);
}

/**
 * The files of a run that are there, from `path` on. Undefined where that is not there.
 *
 * @throws LogError where it is no log
 */
export function findParts(path: string, layer: FileLayer): PartFiles | undefined {
  const source = layer.source(path);
  if (!source) return undefined;
  const { header, bytes } = readHeader(source);
  const run = header.part?.run ?? hexOf(sha256(bytes));
  const files: PartFile[] = [{ path, source }];
  const base = firstPath(path, header.part?.number ?? 1);
  let steps = stepsAfter(header.part?.first ?? 0, bytes.length, source);
  for (let number = (header.part?.number ?? 1) + 1; ; number++) {
    const next = partPath(base, number);
    const found = layer.source(next);
    if (!found) {
      const behind = numbersBeside(base, layer).filter((other) => other > number);
      const beyond = behind.map((other) => partPath(base, other)).find((other) => runOf(other, layer) === run);
      return { path: base, files, run, stranger: undefined, beyond };
    }
    const opened = headerOf(found);
    const part = opened?.header.part;
    // What was merged into the file before it, and has not been removed yet, starts within that.
    const why = part?.run !== run ? 'belongs to another run' : part.first < steps ? 'is in the file before it' : undefined;
    if (why !== undefined) {
      found.close?.();
      return { path: base, files, run, stranger: { path: next, why, isOfAnother: part?.run !== run }, beyond: undefined };
    }
    files.push({ path: next, source: found });
    steps = stepsAfter(part!.first, opened!.bytes.length, found);
  }
}

/** How many steps a run has at the end of a file, whose blocks begin at `at`; its damage is for others to tell of. */
function stepsAfter(first: number, at: number, source: Source): number {
  for (let place = at; ; ) {
    const header = readBlockHeader(source.read(place, BLOCK_HEADER_SIZE));
    if (!header) return first;
    place += BLOCK_HEADER_SIZE + header.length;
    if (place > source.size) return first;
    if (header.kind === STEPS) first += header.count;
  }
}

function runOf(path: string, layer: FileLayer): string | undefined {
  const source = layer.source(path);
  const part = source && partOf(source);
  source?.close?.();
  return part?.run;
}

/** All files of a run that are there, in order, gaps or not. `path` is that of the first, `run` which run it is. */
export const filesOfRun = (path: string, run: string, layer: FileLayer): string[] =>
  numbersBeside(path, layer).flatMap((number) => {
    const file = partPath(path, number);
    const source = layer.source(file);
    const opened = source && headerOf(source);
    source?.close?.();
    return opened && (opened.header.part?.run ?? hexOf(sha256(opened.bytes))) === run ? [file] : [];
  });

const partOf = (source: Source): Part | undefined => headerOf(source)?.header.part;

function headerOf(source: Source): ReturnType<typeof readHeader> | undefined {
  try {
    return readHeader(source);
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

/** Takes away what stands beside a run that is about to be replaced: where it goes on, and its checkpoints, which could be taken for ours. */
export function removeParts(path: string, layer: FileLayer): void {
  if (isThere(cacheOf(path), layer)) layer.unlink(cacheOf(path));
  for (const number of numbersBeside(path, layer)) {
    const next = partPath(path, number);
    if (number === 1 || runOf(next, layer) === undefined) continue;
    layer.unlink(next);
    if (layer.read(sidecarOf(next))) layer.unlink(sidecarOf(next));
  }
}
