import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, test } from 'vitest';
import type { Blob } from './block.ts';
import { joined } from './bytes.ts';
import { Log, type RunHeader, STEPS_PER_BLOCK } from './log.ts';
import { bytesSource } from './source.ts';
import { MemoryStore, OpenBlock, StreamSink } from './store.ts';
import type { Step } from './vocabulary.ts';

const header: RunHeader = { xenolog: '0.1.0', seed: 7, xen_version: '4.17', host: {}, images: [] };
const send = (seq: number): Step => ({
  seq,
  time: seq * 10,
  origin: 'd1v0',
  cause: seq === 0 ? null : seq - 1,
  command: { type: 'evtchn.send', domid: 1, port: seq % 7 },
  reads: [seq],
  outcome: { ok: true, value: {}, events: [{ type: 'evtchn.pending_raised', domid: 0, port: 3, vcpu: 0, upcall: true }] },
});
const piece = (seq: number): Blob => ({ image: 0, chunk: seq, bytes: Uint8Array.of(seq & 255) });
const end = (steps: number) => ({ steps, state: 1, memory: 2 });

/** A store and the bytes that the format's own writer makes of the same run. */
function filled(steps: number): { store: MemoryStore; stream: StreamSink; bytes: () => Uint8Array } {
  const parts: Uint8Array[] = [];
  const stream = new StreamSink(header, (bytes) => parts.push(bytes));
  const store = new MemoryStore(header);
  for (const sink of [store, stream])
    for (let seq = 0; seq < steps; seq++) {
      if (seq % 1000 === 0) sink.addBlob(piece(seq));
      sink.append(send(seq));
    }
  return { store, stream, bytes: () => joined(parts) };
}

describe('a run in memory', () => {
  test.each([0, 1, 5, STEPS_PER_BLOCK - 1, STEPS_PER_BLOCK, STEPS_PER_BLOCK + 1])(
    'reads back %i steps while it goes on',
    (count) => {
      const log = filled(count).store.read();
      expect(log).toMatchObject({ header, length: count, end: undefined });
      expect([...log.steps()]).toEqual(Array.from({ length: count }, (_, seq) => send(seq)));
      expect([...log.blobs()]).toHaveLength(Math.ceil(count / 1000));
    },
  );
  test.each([0, 7, STEPS_PER_BLOCK + 3])('of %i steps is, closed, byte for byte what the writer makes', (count) => {
    const { store, stream, bytes } = filled(count);
    stream.close(end(count));
    expect(store.close(end(count))).toEqual({ ok: true, steps: count });
    expect(store.bytes()).toEqual(bytes());
  });
  test('is, sealed, what the writer makes, and takes nothing more', () => {
    const { store, stream, bytes } = filled(9);
    stream.seal();
    store.seal();
    store.append(send(9));
    store.addBlob(piece(9));
    store.close(end(10));
    store.seal();
    expect(store.bytes()).toEqual(bytes());
    expect(store.acknowledge()).toEqual({ ok: true, steps: 9 });
  });
});

test.each([1, 2, 40])('an open block of %i steps is the block that the writer would seal', (count) => {
  const { store, stream, bytes } = filled(count);
  const open = store.bytes();
  stream.seal();
  expect(open).toEqual(bytes());
});

test('the sealed part ends with the last whole block, and a log knows what each block follows', () => {
  const { store } = filled(STEPS_PER_BLOCK + 3);
  store.seal();
  const file = store.bytes();
  const whole = new Log([bytesSource(file)]);
  expect(whole.sealed).toMatchObject({ size: file.length, steps: STEPS_PER_BLOCK + 3 });
  expect(whole.followerOf(whole.sealed.run)).toEqual({ block: 0, steps: 0 });
  const cut = new Log([bytesSource(file.slice(0, -1))]).sealed;
  expect(whole.followerOf(cut.chain)).toEqual({ block: 1, steps: STEPS_PER_BLOCK });
  expect(whole.followerOf(whole.sealed.chain)).toBeUndefined();
  const block = new OpenBlock();
  block.append(send(STEPS_PER_BLOCK));
  const log = new Log(joined([file.slice(0, cut.size), ...block.block(cut, sha256)]));
  expect([...log.steps(STEPS_PER_BLOCK)]).toEqual([send(STEPS_PER_BLOCK)]);
});
