// xenolog log: what a log is, whether it is whole, and how it becomes so.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { HostConfig } from '../../../src/host-config.ts';
import { recoverLog } from '../../file-store/recover.ts';
import { judgeLog, logAt } from '../../log-file.ts';
import { openRun } from '../open-run.ts';
import type { Output } from '../output.ts';

/** Tells about a log from its header and its blocks. */
export function logInfo(path: string, { json }: { readonly json?: boolean }, output: Output): number {
  const log = openRun(path);
  const file = readFileSync(logAt(path));
  const config = log.header.host as HostConfig;
  let blobs = 0;
  let blobBytes = 0;
  for (const { bytes } of log.blobs()) {
    blobs++;
    blobBytes += bytes.length;
  }
  const info = {
    format: log.format,
    xenolog: log.header.xenolog,
    xen_version: log.header.xen_version,
    seed: log.header.seed,
    pcpus: config.pcpus,
    memory_mib: config.memory_mib,
    images: log.header.images,
    steps: log.length,
    bytes: file.length,
    blobs,
    blob_bytes: blobBytes,
    closed: log.end !== undefined,
    state: log.end?.state ?? null,
    sha256: createHash('sha256').update(file).digest('hex'),
  };
  if (json) {
    output.json(info);
    return 0;
  }
  const say = (name: string, value: string | number): void => output.line(`${name.padEnd(10)}${value}`);
  say('format', `${info.format}, written by xenolog ${info.xenolog}`);
  say('host', `Xen ${info.xen_version}, ${info.pcpus} pCPUs, ${info.memory_mib} MiB, seed ${info.seed}`);
  say('steps', `${info.steps} in ${info.bytes} bytes`);
  for (const { path: image, sectors, sha256 } of info.images) say('image', `${image}, ${sectors} sectors, ${sha256}`);
  say('pieces', `${info.blobs} pieces of images, ${info.blob_bytes} bytes`);
  say('end', log.end ? `closed; state ${log.end.state}, memory ${log.end.memory}` : 'cut: it was not closed');
  say('sha256', info.sha256);
  return 0;
}

/** Reads every block and every step of a log. 0: it is whole; 1: it was cut, but what is there is good; a damaged log is a `Failure`. */
export function logCheck(path: string, output: Output): number {
  const log = openRun(path);
  let steps = 0;
  judgeLog(path, () => {
    for (const _ of log.steps()) steps++;
  });
  output.line(`${path}: ${steps} steps, every block's checksums and chain are right${log.end ? '' : '; it was cut'}`);
  return log.end ? 0 : 1;
}

/** Makes a run that was not closed one whole file. 0: it is one now; a sidecar that may not be used, or a damaged log, is a `Failure`. */
export function logRepair(path: string, output: Output): number {
  const { steps, folded, cut, closed } = judgeLog(path, () => recoverLog(path));
  const done = [
    ...(folded > 0 ? [`${folded} of them were in its sidecar`] : []),
    ...(cut > 0 ? [`${cut} unfinished bytes were cut off`] : []),
  ];
  output.line(
    `${path}: ${steps} steps${closed ? ', closed' : ''}; ${done.length > 0 ? done.join('; ') : 'there was nothing to repair'}`,
  );
  return 0;
}
