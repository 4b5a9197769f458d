// xenolog log: what a log is, whether it is whole, and how it becomes so.
import { createHash } from 'node:crypto';
import { type Log, STEPS_PER_BLOCK } from '../../../events/log.ts';
import type { OnBlock } from '../../../events/merge.ts';
import type { CheckpointCache } from '../../../replay/index.ts';
import type { HostConfig } from '../../../src/host-config.ts';
import { openCache } from '../../file-store/cache-file.ts';
import { compactRun, writeMerged } from '../../file-store/compact.ts';
import { findParts } from '../../file-store/parts.ts';
import { recoverLog } from '../../file-store/recover.ts';
import { removeRun } from '../../file-store/remove.ts';
import { addressOf, lmdbAddress } from '../../lmdb-store/address.ts';
import { isDatabase, noDatabase, openEnvironment, runsIn } from '../../lmdb-store/database.ts';
import { judgeLog } from '../../log-file.ts';
import { firstFileOf, placeFor, placeOf, type RunPlace } from '../../run-place.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';
import { Progress } from '../progress.ts';

export interface LogOptions {
  readonly json?: boolean;
}

/** Bytes that are read at once. */
const CHUNK = 1 << 20;

/** Shows at a terminal how far it is. */
function showing<T>(what: string, json: boolean | undefined, work: (onBlock: OnBlock) => T): T {
  let progress: Progress | undefined;
  try {
    return work((steps, log) => {
      progress ??= new Progress(process.stderr, log.length - log.first, !json);
      if (progress.due()) progress.showSteps(what, steps);
    });
  } finally {
    progress?.clear();
  }
}

/** Tells about a log from its headers and its blocks. */
export function logInfo(name: string, { json }: LogOptions, output: Output): number {
  const database = lmdbAddress(name);
  if (database && database.run === undefined) return listRuns(database.directory, json ?? false, output);
  const place = placeOf(name);
  const log = openRun(place);
  const files = filesOf(place);
  const config = log.header.host as HostConfig;
  let blobs = 0;
  let blobBytes = 0;
  let digests = 0;
  judgeLog(place.path, () => {
    for (const _ of log.digests()) digests++;
    for (const { bytes } of log.blobs()) {
      blobs++;
      blobBytes += bytes.length;
    }
  });
  const checkpoints =
    cacheAt(place, log)
      ?.list()
      .map(({ seq }) => seq) ?? [];
  const info = {
    format: log.format,
    xenolog: log.header.xenolog,
    xen_version: log.header.xen_version,
    seed: log.header.seed,
    pcpus: config.pcpus,
    memory_mib: config.memory_mib,
    images: log.header.images,
    embed: log.header.embed ?? 'reads',
    first: log.first,
    steps: log.length - log.first,
    bytes: log.size,
    files,
    blobs,
    blob_bytes: blobBytes,
    digests,
    checkpoints,
    closed: log.end !== undefined,
    state: log.end?.state ?? null,
    run: log.run,
  };
  if (json) {
    output.json(info);
    return 0;
  }
  const say = (name: string, value: string | number): void => output.line(`${name.padEnd(10)}${value}`);
  say('format', `${info.format}, written by xenolog ${info.xenolog}`);
  say('host', `Xen ${info.xen_version}, ${info.pcpus} pCPUs, ${info.memory_mib} MiB, seed ${info.seed}`);
  say('steps', `${info.steps}${log.first > 0 ? `, from ${log.first} on,` : ''} in ${info.bytes} bytes`);
  for (const { path: image, sectors, sha256 } of info.images)
    say('image', `${image}, ${sectors} sectors, ${sha256 === '' ? 'no digest' : sha256}`);
  say('pieces', `${info.blobs} pieces of images, ${info.blob_bytes} bytes (--embed ${info.embed})`);
  say('digests', `of the host, at ${info.digests} moments; checkpoints beside it at ${checkpoints.length}`);
  say('end', log.end ? `closed; state ${log.end.state}, memory ${log.end.memory}` : 'cut: it was not closed');
  for (const file of files) say('sha256', files.length > 1 ? `${file.sha256} ${file.path}` : file.sha256);
  return 0;
}

/** What there is in a database. */
function listRuns(directory: string, json: boolean, output: Output): number {
  if (!isDatabase(directory)) throw noDatabase(directory);
  const { bytes, close } = openEnvironment(directory);
  const runs = runsIn(bytes).map((run) => {
    const { length, size, parts, end } = openRun(addressOf(directory, run));
    return { run, steps: length, bytes: size, parts, closed: end !== undefined };
  });
  close();
  if (json) output.json(runs);
  else
    for (const { run, steps, bytes: size, parts, closed } of runs) {
      const several = parts > 1 ? ` in ${parts} parts` : '';
      output.line(`${run.padEnd(20)} ${steps} steps, ${size} bytes${several}${closed ? '' : ', not closed'}`);
    }
  return 0;
}

/** The files of a run, each with its digest. */
const filesOf = ({ path, files }: RunPlace): { readonly path: string; readonly bytes: number; readonly sha256: string }[] =>
  (findParts(files.real(path), files)?.files ?? []).map(({ path: file, source }) => {
    const hash = createHash('sha256');
    for (let at = 0; at < source.size; at += CHUNK) hash.update(source.read(at, CHUNK));
    source.close?.();
    return { path: file, bytes: source.size, sha256: hash.digest('hex') };
  });

/** The checkpoints beside a run, if there are any. */
const cacheAt = (place: RunPlace, log: Log): CheckpointCache | undefined =>
  place.files.cache && openCache(firstFileOf(place, log), log, 'read', place.files.cache)?.cache;

/**
 * Reads every block and every step of a log, and every checkpoint beside it. 0: it is whole; 1: it was cut, but what is there is good; a
 * damaged log is a `Failure`. What is wrong with the checkpoints is said, and changes nothing.
 */
export function logCheck(name: string, { json }: LogOptions, output: Output): number {
  const place = placeOf(name);
  const { path } = place;
  const log = openRun(place);
  let steps = 0;
  showing('checked', json, (onBlock) =>
    judgeLog(path, () => {
      for (const _ of log.steps()) if (++steps % STEPS_PER_BLOCK === 0) onBlock(steps, log);
    }),
  );
  const cache = cacheAt(place, log);
  const damaged = (cache?.list() ?? []).filter(({ seq }) => !cache!.read(seq)).map(({ seq }) => seq);
  if (json) {
    output.json({
      steps,
      first: log.first,
      files: log.parts,
      closed: log.end !== undefined,
      torn: log.torn ?? null,
      checkpoints: cache ? { count: cache.list().length, damaged, problem: cache.problem ?? null } : null,
    });
    return log.end ? 0 : 1;
  }
  const files = log.parts > 1 ? ` in ${log.parts} files` : '';
  output.line(`${path}: ${steps} steps${files}, every block's checksums and chain are right${log.end ? '' : '; it was cut'}`);
  if (cache?.problem !== undefined) output.line(`${path}-cache: ${cache.problem}; it will be made again, or may be deleted`);
  else if (damaged.length > 0)
    output.line(`${path}-cache: the checkpoints at ${damaged.join(', ')} are damaged, and will not be used`);
  return log.end ? 0 : 1;
}

/** Makes a run that was not closed whole files. 0: it is now; a sidecar that may not be used, or a damaged log, is a `Failure`. */
export function logRepair(name: string, { json }: LogOptions, output: Output): number {
  const { path, files } = placeOf(name);
  const recovery = judgeLog(path, () => recoverLog(path, files));
  if (json) {
    output.json(recovery);
    return 0;
  }
  const { steps, folded, cut, closed, damage } = recovery;
  const done = [
    ...(folded > 0 ? [`${folded} of them were in its sidecar`] : []),
    ...(cut > 0 ? [`${cut} unfinished bytes were cut off`] : []),
    ...(damage === undefined ? [] : [`of the sidecar what was whole was used: ${damage}`]),
  ];
  output.line(
    `${path}: ${steps} steps${closed ? ', closed' : ''}; ${done.length > 0 ? done.join('; ') : 'there was nothing to repair'}`,
  );
  return 0;
}

/** Makes a run as small as it can be without a change to any replay, in its place. */
export function logCompact(name: string, { json }: LogOptions, output: Output): number {
  const place = placeOf(name);
  const { path } = place;
  const { recovery, files, before, after } = showing('written', json, (onBlock) =>
    judgeLog(path, () => compactRun(path, place.files, onBlock)),
  );
  if (json) output.json({ ...recovery, files, before, after });
  else
    output.line(
      `${path}: ${recovery.steps} steps${files > 1 ? ` of ${files} files in one` : ''}; ${before} bytes before, with its checkpoints, ${after} now`,
    );
  return 0;
}

/** Takes a run away, with all that stands beside it, or only its checkpoints. */
export function logRemove(
  name: string,
  { checkpoints, json }: LogOptions & { readonly checkpoints?: boolean },
  output: Output,
): number {
  const { path, files } = placeOf(name);
  const removed = judgeLog(path, () => removeRun(path, checkpoints ? 'checkpoints' : 'all', files));
  if (json) output.json({ removed });
  else output.line(removed.length > 0 ? `removed ${removed.join(', ')}` : `${path}: there are no checkpoints`);
  return 0;
}

/** Writes all files of a run as one, and leaves them as they are. */
export function logMerge(
  name: string,
  { output: target, json }: LogOptions & { readonly output: string },
  output: Output,
): number {
  const log = openRun(name);
  const to = placeFor(target, 'strict');
  const bytes = showing('written', json, (onBlock) => judgeLog(name, () => writeMerged(log, to.path, to.files, onBlock)));
  const merged = { files: log.parts, steps: log.length - log.first, bytes, closed: log.end !== undefined };
  if (json) output.json(merged);
  else
    output.line(
      `${target}: ${merged.steps} steps of ${merged.files === 1 ? 'one file' : `${merged.files} files`}, ${bytes} bytes${merged.closed ? '' : '; the run was not closed'}`,
    );
  return 0;
}
