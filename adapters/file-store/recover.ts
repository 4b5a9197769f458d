// A run that was not closed: what can be read of it, and how it becomes one whole file again.
import { dirname } from 'node:path';
import { byteString, byteStringToText } from '../../events/bytes.ts';
import type { Shape } from '../../events/codec.ts';
import { Log, LogError } from '../../events/log.ts';
import { joined, OpenBlock, type SealedPart, sealedPart } from '../../events/store.ts';
import { Failure, systemFailure } from '../failure.ts';
import { type FileLayer, nodeFiles, syncDirectory, writeAll } from './file-layer.ts';
import { takeLock } from './lock.ts';
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
}

/**
 * Reads a run with what its sidecar adds: a run that was killed reads up to its last whole step, and `Log.torn` says so. The files stay
 * as they are. Undefined where there is no such file.
 *
 * @throws LogError where it is no log, or a damaged one; what node:fs throws where it can not be read
 */
export function readRun(path: string, files: FileLayer = nodeFiles): Log | undefined {
  const run = examine(path, files);
  if (!run) return undefined;
  const { log, bytes, sealed, sidecar } = run;
  if (log.end || !sidecar) return log;
  if (sidecar.kind === 'refused') return new RunOnDisk(bytes, `${log.torn}; ${sidecar.why}: it is left aside`);
  if (sidecar.kind === 'folded' || sidecar.rows.length === 0) return log;
  const cut = cutBytes(run);
  const whole = joined([bytes.subarray(0, sealed.size), ...blockOf(sidecar, sealed)]);
  return new RunOnDisk(
    whole,
    `the log was not closed: it stops after step ${sealed.steps + sidecar.rows.length - 1}, ` +
      `the last ${sidecar.rows.length} of its steps are from its sidecar${cut > 0 ? `; ${cut} unfinished bytes are left out` : ''}`,
  );
}

/**
 * Makes a run that was not closed one whole file: what is unfinished is cut off, the steps of the sidecar become the last block, the
 * sidecar goes. To be stopped at any moment and begun again does no harm.
 *
 * @throws Failure where somebody writes the run, where the sidecar may not be used (nothing is changed then), or where a call fails
 * @throws LogError where it is no log, or a damaged one
 */
export function recoverLog(path: string, files: FileLayer = nodeFiles): Recovery {
  const lock = takeLock(path, files);
  try {
    const run = examine(path, files);
    if (!run) throw new Failure('there is no such log', path, 'correct the path', REFUSED);
    return recover(path, run, files);
  } catch (error) {
    if (error instanceof Failure || error instanceof LogError) throw error;
    throw systemFailure('repair the log', path, error);
  } finally {
    lock.release();
  }
}
const REFUSED = 2;

function recover(path: string, run: Run, files: FileLayer): Recovery {
  const { log, bytes, sealed, sidecar } = run;
  if (sidecar?.kind === 'refused')
    throw new Failure(sidecar.why, sidecarOf(path), 'nothing was changed; move it away to go on without it', REFUSED);
  const rows = !log.end && sidecar?.kind === 'rows' ? sidecar.rows.length : 0;
  const recovery = { steps: log.length + rows, folded: rows, cut: cutBytes(run), closed: log.end !== undefined };
  if (!log.end && (rows > 0 || bytes.length > sealed.size)) {
    const fd = files.open(path, 'append');
    try {
      files.truncate(fd, sealed.size);
      if (rows > 0 && sidecar?.kind === 'rows') writeAll(files, fd, joined(blockOf(sidecar, sealed)));
      files.sync(fd, 'data');
    } finally {
      files.close(fd);
    }
  }
  // Only now: the log has its steps, and has them on the disk.
  if (sidecar) {
    files.unlink(sidecarOf(path));
    syncDirectory(files, dirname(path));
  }
  return recovery;
}

/** A log as its files have it together. */
class RunOnDisk extends Log {
  override readonly torn: string | undefined;
  constructor(bytes: Uint8Array, torn: string) {
    super(bytes, sha256);
    this.torn = torn;
  }
}

interface Run {
  readonly bytes: Uint8Array;
  /** What is sealed. */
  readonly log: Log;
  readonly sealed: SealedPart;
  readonly sidecar: Sidecar | undefined;
}

function examine(path: string, files: FileLayer): Run | undefined {
  // The sidecar first: while a writer goes on, steps move from it to the log, and never back.
  const beside = files.read(sidecarOf(path));
  const bytes = files.read(path);
  if (!bytes) return undefined;
  const log = new Log(bytes, sha256);
  const sealed = sealedPart(bytes, sha256);
  const sidecar = beside && readSidecar(beside, sealed, shapeOf(bytes));
  if (log.end && sidecar?.kind === 'rows' && sidecar.rows.length > 0)
    return { bytes, log, sealed, sidecar: { kind: 'refused', why: 'the sidecar goes on where the log was closed' } };
  return { bytes, log, sealed, sidecar };
}

/** The vocabulary that a log carries: its rows are in it too. */
function shapeOf(bytes: Uint8Array): Shape {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(12, true);
  return (JSON.parse(byteStringToText(byteString(bytes.subarray(20, 20 + length)))) as { vocabulary: Shape }).vocabulary;
}

const cutBytes = ({ log, bytes, sealed, sidecar }: Run): number =>
  (log.end ? 0 : bytes.length - sealed.size) + (sidecar?.kind === 'rows' ? sidecar.torn : 0);

function blockOf({ rows }: Extract<Sidecar, { kind: 'rows' }>, sealed: SealedPart): readonly Uint8Array[] {
  const block = new OpenBlock();
  for (const { blobs, step } of rows) {
    for (const blob of blobs) block.addBlob(blob);
    block.append(step);
  }
  return block.block(sealed, sha256);
}
