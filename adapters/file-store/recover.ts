// A run that was not closed: what can be read of it, and how it becomes whole files again.
import { dirname } from 'node:path';
import { joined } from '../../events/bytes.ts';
import { Log, LogError, type RunEnd } from '../../events/log.ts';
import { type Source, withTail } from '../../events/source.ts';
import { OpenBlock } from '../../events/store.ts';
import { Failure, failureOf } from '../failure.ts';
import { type FileLayer, nodeFiles, syncDirectory, writeAll } from './file-layer.ts';
import { takeLock } from './lock.ts';
import { findParts, lockedPath, type PartFile, type PartFiles } from './parts.ts';
import { sha256 } from './sha256.ts';
import { readSidecar, type Sidecar, sidecarOf } from './sidecar.ts';

/** What `recoverLog` has done. */
export interface Recovery {
  /** How many steps the log has now. */
  readonly steps: number;
  /** How many of them were in the sidecar only. */
  readonly folded: number;
  /** Bytes of an unfinished block and of an unfinished row: of steps that were never acknowledged, or that the sidecar had. */
  readonly cut: number;
  readonly closed: boolean;
  /** What of the sidecar could not be read, and where its file is now; undefined where all of it could. */
  readonly damage?: string;
}

/**
 * Reads a run, of one file or of several, with what its sidecar adds: a run that was killed reads up to its last whole step, and
 * `Log.torn` says so. The files stay as they are. Undefined where there is no such file.
 *
 * @throws LogError where it is no log, or a damaged one; what node:fs throws where it can not be read
 */
export function readRun(path: string, files: FileLayer = nodeFiles): Log | undefined {
  const run = examine(files.real(path), files);
  if (!run) return undefined;
  const { log, sidecar, parts } = run;
  const { stranger, beyond } = parts;
  const last = parts.files.at(-1)!;
  const notes = stranger ? [`${stranger.path} ${stranger.why}: it is left aside`] : [];
  if (beyond !== undefined) notes.push(`files behind ${last.path} are missing, up to ${beyond}: it can be read from there on`);
  const read = (source: Source, torn: string | undefined): Log =>
    new RunOnDisk(
      [...parts.files.slice(0, -1).map((part) => part.source), source],
      torn,
      beyond === undefined ? log.end : undefined,
    );
  if (sidecar?.kind === 'refused') notes.unshift(`${sidecar.why}: it is left aside`);
  if (sidecar?.kind !== 'rows' || (sidecar.rows.length === 0 && sidecar.damage === undefined)) {
    if (notes.length === 0) return log;
    return read(
      withTail(last.source, run.size, new Uint8Array(0)),
      [...(log.torn === undefined ? [] : [log.torn]), ...notes].join('; '),
    );
  }
  const cut = cutBytes(run);
  if (sidecar.damage !== undefined) notes.push(`of the sidecar what is whole is used: ${sidecar.damage}`);
  if (cut > 0) notes.push(`${cut} unfinished bytes are left out`);
  const torn =
    sidecar.rows.length === 0
      ? log.torn
      : `the log was not closed: it stops after step ${log.length + sidecar.rows.length - 1}, ` +
        `the last ${sidecar.rows.length} of its steps are from its sidecar`;
  return read(withTail(last.source, log.sealed.size, joined(blockOf(run))), [torn, ...notes].join('; '));
}

/**
 * Makes a run that was not closed whole files: what is unfinished is cut off, the steps of the sidecar become the last block, the
 * sidecar goes (one that was damaged is kept under another name). To be stopped at any moment and begun again does no harm.
 *
 * @throws Failure where somebody writes the run, where the sidecar may not be used (nothing is changed then), or where a call fails
 * @throws LogError where it is no log, or a damaged one
 */
export function recoverLog(name: string, files: FileLayer = nodeFiles): Recovery {
  const path = files.real(name);
  const lock = takeLock(lockedPath(path, files), files);
  try {
    return recoverLocked(path, files);
  } finally {
    lock.release();
  }
}

/** The same, for whoever has the run's lock. */
export function recoverLocked(path: string, files: FileLayer): Recovery {
  try {
    const run = examine(path, files);
    if (!run) throw new Failure('there is no such log', path, 'correct the path', REFUSED);
    try {
      return recover(run, files);
    } finally {
      run.log.close();
    }
  } catch (error) {
    throw failureOf('repair the log', path, error);
  }
}
const REFUSED = 2;

function recover(run: Run, files: FileLayer): Recovery {
  const { log, sidecar, size } = run;
  const { path } = run.last;
  if (sidecar?.kind === 'refused')
    throw new Failure(sidecar.why, sidecarOf(path), 'nothing was changed; move it away to go on without it', REFUSED);
  const rows = sidecar?.kind === 'rows' ? sidecar.rows.length : 0;
  const damage = sidecar?.kind === 'rows' ? sidecar.damage : undefined;
  const recovery = {
    steps: log.length + rows,
    folded: rows,
    cut: cutBytes(run),
    closed: log.end !== undefined,
    ...(damage !== undefined && { damage: `${damage}; it is ${damagedOf(path)} now` }),
  };
  if (rows > 0 || size > log.sealed.size) {
    const fd = files.open(path, 'append');
    try {
      files.truncate(fd, log.sealed.size);
      if (rows > 0) writeAll(files, fd, joined(blockOf(run)));
      files.sync(fd, 'data');
    } finally {
      files.close(fd);
    }
  }
  // Only now: the log has its steps, and has them on the disk.
  if (sidecar) {
    if (damage === undefined) files.unlink(sidecarOf(path));
    else files.rename(sidecarOf(path), damagedOf(path));
    syncDirectory(files, dirname(path));
  }
  return recovery;
}

/** Where a sidecar is kept of which only a part could be read. */
const damagedOf = (path: string): string => `${sidecarOf(path)}.damaged`;

/** A log as its files have it together. */
class RunOnDisk extends Log {
  override readonly torn: string | undefined;
  override readonly end: RunEnd | undefined;
  constructor(sources: readonly Source[], torn: string | undefined, end: RunEnd | undefined) {
    super(sources, sha256);
    this.torn = torn;
    this.end = end;
  }
}

interface Run {
  readonly parts: PartFiles;
  readonly last: PartFile;
  /** The last file's size, with what is not whole. */
  readonly size: number;
  /** What is sealed. */
  readonly log: Log;
  readonly sidecar: Sidecar | undefined;
}

function examine(path: string, files: FileLayer): Run | undefined {
  const found = findParts(path, files);
  if (!found) return undefined;
  const before = found.files.at(-1)!;
  // The sidecar first: while a writer goes on, steps move from it to the log, and never back.
  const beside = files.read(sidecarOf(before.path));
  const last = { path: before.path, source: files.source(before.path)! };
  before.source.close?.();
  const parts = { ...found, files: [...found.files.slice(0, -1), last] };
  const log = open(
    parts.files.map(({ source }) => source),
    beside,
  );
  const run = { parts, last, size: last.source.size, log };
  if (!beside) return { ...run, sidecar: undefined };
  const sidecar = readSidecar(beside, log);
  if (log.end && sidecar.kind === 'rows' && sidecar.rows.length > 0)
    return { ...run, sidecar: { kind: 'refused', why: 'the sidecar goes on where the log was closed' } };
  return { ...run, sidecar };
}

/**
 * A power failure may leave a last block whose bytes are not all there. Its steps are in the sidecar until the disk has it: where the
 * sidecar follows the block before, that is where the log ends.
 */
function open(sources: readonly Source[], sidecar: Uint8Array | undefined): Log {
  const last = sources.length - 1;
  try {
    const log = new Log(sources, sha256);
    if (sidecar) log.checkLast();
    return log;
  } catch (error) {
    const at = error instanceof LogError && error.place?.file === last ? error.place.at : undefined;
    if (at === undefined || !sidecar) throw error;
    const log = new Log([...sources.slice(0, -1), withTail(sources[last]!, at, new Uint8Array(0))], sha256);
    const judged = readSidecar(sidecar, log);
    if (judged.kind !== 'rows' || (judged.rows.length === 0 && judged.damage !== undefined)) throw error;
    return log;
  }
}

const cutBytes = ({ log, size, sidecar }: Run): number =>
  (log.end ? 0 : size - log.sealed.size) + (sidecar?.kind === 'rows' ? sidecar.torn : 0);

function blockOf({ log, sidecar }: Run): readonly Uint8Array[] {
  if (sidecar?.kind !== 'rows' || sidecar.rows.length === 0) return [];
  const block = new OpenBlock();
  for (const { blobs, step, digest } of sidecar.rows) {
    for (const blob of blobs) block.addBlob(blob);
    if (digest) block.addDigest(digest);
    block.append(step);
  }
  return block.block(log.sealed, sha256, log.shape);
}
