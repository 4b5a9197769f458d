// The files of a run as one: the same steps, digests and pieces of images, in blocks as a run without an interruption has them.
import type { Hash, Log, RunEnd } from './log.ts';
import { LogWriter } from './log.ts';

/**
 * Writes all of a log as one file. Checkpoints between its files go, and so do pieces of images that a later file has again. A log that
 * starts with its first file gets that file's header back; one without keeps the checkpoint that it starts from.
 */
export function mergeLog(log: Log, sink: (bytes: Uint8Array) => void, hash?: Hash): void {
  const writer = new LogWriter(log.header, sink, hash, log.start);
  const pieces = new Set<string>();
  for (const { steps, blobs, digests } of log.contents()) {
    for (const blob of blobs) {
      const name = `${blob.image} ${blob.chunk}`;
      if (pieces.has(name)) continue;
      pieces.add(name);
      writer.addBlob(blob);
    }
    let next = 0;
    for (const step of steps) {
      if (digests[next]?.seq === step.seq) writer.addDigest(digests[next++]!);
      writer.append(step);
    }
  }
  if (log.end) writer.end(log.end satisfies RunEnd);
  else writer.cut();
}
