// A run of plain steps for the tests of stores; as a program, a writer that is killed:
//   node dist/test/e2e/store-run.js PATH MODE    appends until it is killed; a line on stdout for each acknowledgement
import { writeSync } from 'node:fs';
import { FileStore } from '../../adapters/file-store/file-store.ts';
import { placeFor } from '../../adapters/run-place.ts';
import type { Blob } from '../../events/block.ts';
import type { RunEnd, RunHeader } from '../../events/log.ts';
import { MemoryStore, type RunSink } from '../../events/store.ts';
import type { Step } from '../../events/vocabulary.ts';

export const header: RunHeader = { xenolog: '0', seed: 1, xen_version: '4.17', host: {}, images: [] };

export const stepOf = (seq: number): Step => ({
  seq,
  time: seq * 10,
  origin: 'd1v0',
  cause: seq === 0 ? null : seq - 1,
  command: {
    type: 'xenstore.write',
    conn: 1,
    tx: 0,
    path: `/local/domain/1/data/${seq % 50}`,
    value: `\0\xff${seq}`,
  },
  reads: [seq],
  outcome: seq % 3 === 0 ? { ok: false, errno: 'EACCES' } : { ok: true, value: {}, events: [] },
});
export const pieceOf = (seq: number): Blob => ({ image: 0, chunk: seq, bytes: Uint8Array.of(seq & 255, 1) });

/** Step `seq`, after a piece of an image now and then. */
export function appendStep(sink: RunSink, seq: number): void {
  if (seq % 700 === 0) sink.addBlob(pieceOf(seq));
  sink.append(stepOf(seq));
}
export function fill(sink: RunSink, from: number, to: number): void {
  for (let seq = from; seq < to; seq++) appendStep(sink, seq);
}
export const end = (steps: number): RunEnd => ({ steps, state: 1, memory: 2 });
/** The one file that a closed run of so many steps is, whatever kept it. */
export function closedFile(steps: number): Uint8Array {
  const memory = new MemoryStore(header);
  fill(memory, 0, steps);
  memory.close(end(steps));
  return memory.bytes();
}

if (process.argv[1] === import.meta.filename) {
  const [, , path, durability] = process.argv;
  const mode = durability as 'batch' | 'strict';
  const store = new FileStore({ ...placeFor(path!, mode), header, durability: mode });
  for (let seq = 0; ; ) {
    for (const last = seq + 1 + (seq % 13); seq < last; seq++) appendStep(store, seq);
    const answer = store.acknowledge();
    if (!answer.ok) throw new Error(JSON.stringify(answer));
    // What leaves the process: whoever reads this line knows that these steps are safe.
    writeSync(1, `${answer.steps}\n`);
  }
}
