// The files of a run as one: the same steps, digests and pieces of images, in blocks as a run without an interruption has them.
import type { Hash, Log, RunEnd } from './log.ts';
import { LogError, LogWriter } from './log.ts';
import type { Shape, ShapeField } from './shape.ts';

/**
 * A vocabulary, of those that the files of a log have, in which all of their steps can be said as they are. A later one has more messages,
 * names and errors; where a message has got another field, a step of before has nothing to put there.
 *
 * @throws LogError where there is none
 */
function shapeOfAll({ shapes }: Log): Shape {
  const distinct = [...new Map(shapes.map((shape) => [JSON.stringify(shape), shape])).values()];
  const found = distinct.findLast((shape) => distinct.every((other) => other === shape || covers(shape, other)));
  if (found) return found;
  throw new LogError(
    'its files were written by versions with other messages, so that no one file can have all; leave them as they are',
  );
}

function covers(shape: Shape, other: Shape): boolean {
  const fields = (a: readonly ShapeField[], b: readonly ShapeField[]): boolean =>
    a.length === b.length &&
    b.every(([name, kind, names = []], i) => {
      const [ourName, ourKind, ourNames = []] = a[i]!;
      return ourName === name && ourKind === kind && names.every((one) => ourNames.includes(one));
    });
  const commands = new Map(shape.commands.map((command) => [command[0], command]));
  const facts = new Map(shape.facts.map((fact) => [fact[0], fact]));
  return (
    other.commands.every(([type, args, returns]) => {
      const ours = commands.get(type);
      return ours && fields(ours[1], args) && fields(ours[2], returns);
    }) &&
    other.facts.every(([type, its]) => facts.has(type) && fields(facts.get(type)![1], its)) &&
    other.errnos.every((errno) => shape.errnos.includes(errno))
  );
}

/** Is told of how many steps have been read of a log, after each block: who waits for it wants to know. */
export type OnBlock = (steps: number, log: Log) => void;

/**
 * Writes all of a log as one file. Checkpoints between its files go, and so do pieces of images that a later file has again. A log that
 * starts with its first file gets that file's header back; one without keeps the checkpoint that it starts from.
 *
 * @throws LogError where its files' vocabularies do not go together
 */
export function mergeLog(log: Log, sink: (bytes: Uint8Array) => void, hash?: Hash, onBlock?: OnBlock): void {
  const writer = new LogWriter(log.header, sink, hash, log.start, shapeOfAll(log));
  const pieces = new Set<string>();
  let done = 0;
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
    done += steps.length;
    onBlock?.(done, log);
  }
  if (log.end) writer.end(log.end satisfies RunEnd);
  else writer.cut();
}
