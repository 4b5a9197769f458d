import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AT_ONCE } from './column.ts';
import { errnos } from './errno.ts';
import { Log, LogWriter, type RunHeader, STEPS_PER_BLOCK } from './log.ts';
import type { Field, Fields } from './schema.ts';
import { FORMAT_VERSION } from './upcast.ts';
import { facts, operations, type Step } from './vocabulary.ts';

const header: RunHeader = { xenolog: '0.1.0', seed: 7, xen_version: '4.17', host: { pcpus: 2 }, images: [] };

/** Any value that a field may have: guests choose texts, so every byte occurs. */
function anyValue({ kind, names }: Field<unknown>): fc.Arbitrary<unknown> {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const text = fc.string({ unit: byte, maxLength: 12 });
  const int = fc.oneof(fc.integer(), fc.maxSafeInteger());
  switch (kind) {
    case 'int':
      return int;
    case 'bool':
      return fc.boolean();
    case 'name':
      return fc.constantFrom(...names!);
    case 'text':
      return text;
    case 'texts':
      return fc.array(text, { maxLength: 4 });
    case 'ints':
      return fc.array(int, { maxLength: 4 });
    case 'bytes':
      return fc.uint8Array({ maxLength: 8 });
  }
}
const record = (fields: Fields): fc.Arbitrary<object> =>
  fc.record(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, anyValue(field)])), {
    noNullPrototype: true,
  });
const fact = fc
  .constantFrom(...Object.entries(facts))
  .chain(([type, fields]) => record(fields).map((value) => ({ type, ...value })));
const outcome = (returns: Fields): fc.Arbitrary<object> =>
  fc.oneof(
    fc.record({ ok: fc.constant(true), value: record(returns), events: fc.array(fact, { maxLength: 3 }) }),
    fc.record({ ok: fc.constant(false), errno: fc.constantFrom(...errnos) }),
    fc.record({ ok: fc.constant(false), errno: fc.constantFrom(...errnos), value: record(returns) }),
    fc.record({
      ok: fc.constant(false),
      errno: fc.constantFrom(...errnos),
      events: fc.array(fact, { minLength: 1, maxLength: 2 }),
    }),
  );
const unnumbered = fc.constantFrom(...Object.entries(operations)).chain(([type, { args, returns }]) =>
  fc.record({
    time: fc.nat(),
    origin: fc.constantFrom('d0v0', 'operator', 'd3.vbd.51712'),
    back: fc.nat({ max: 9 }),
    batch: fc.option(fc.nat({ max: 9 }), { nil: undefined }),
    command: record(args).map((value) => ({ type, ...value })),
    reads: fc.array(fc.integer({ min: 0, max: 2 ** 32 - 1 }), { maxLength: 3 }),
    outcome: outcome(returns),
  }),
);
const steps = fc.array(unnumbered, { minLength: 1, maxLength: 12 }).map((list) =>
  list.map(({ back, batch, ...one }, seq) => ({
    seq,
    cause: back === 0 || back > seq ? null : seq - back,
    ...(batch !== undefined && { batch }),
    ...one,
  })),
) as unknown as fc.Arbitrary<Step[]>;

function write(list: readonly Step[], close = true): Uint8Array {
  const parts: Uint8Array[] = [];
  const writer = new LogWriter(header, (bytes) => parts.push(bytes.slice()));
  for (const step of list) writer.append(step);
  if (close) writer.end({ steps: list.length, state: 1, memory: 2 });
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

const send = (seq: number): Step => ({
  seq,
  time: seq * 10,
  origin: 'd1v0',
  cause: seq === 0 ? null : seq - 1,
  command: { type: 'evtchn.send', domid: 1, port: seq % 7 },
  reads: [],
  outcome: { ok: true, value: {}, events: [{ type: 'evtchn.pending_raised', domid: 0, port: 3, vcpu: 0, upcall: true }] },
});

describe('a log', () => {
  test('gives back every step, whatever its values', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const log = new Log(write(list));
        expect([...log.steps()]).toEqual(list);
        expect(log).toMatchObject({ header, length: list.length, torn: undefined, end: { steps: list.length } });
      }),
    );
  });

  test('gives back many steps of few kinds: they come to the columns some at a time', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 3 * AT_ONCE }), (list, count) => {
        const many = Array.from({ length: count }, (_, seq): Step => ({ ...list[seq % list.length]!, seq, cause: null }));
        expect([...new Log(write(many)).steps()]).toEqual(many);
      }),
    );
  });

  test('gives a fold the same facts as the steps have', () => {
    fc.assert(
      fc.property(steps, (list) => {
        const folded: unknown[] = [];
        new Log(write(list)).facts((one, seq) => folded.push([seq, one]));
        expect(folded).toEqual(list.flatMap((step) => (step.outcome.events ?? []).map((one) => [step.seq, one])));
      }),
    );
  });

  test('has blocks of exactly 4,096 steps, so that equal runs are equal files', () => {
    const list = Array.from({ length: STEPS_PER_BLOCK + 5 }, (_, seq) => send(seq));
    const file = write(list);
    expect(file).toEqual(write(list));
    const log = new Log(file);
    expect([...log.steps(STEPS_PER_BLOCK - 1)].map((step) => step.seq)).toEqual(
      list.slice(STEPS_PER_BLOCK - 1).map((step) => step.seq),
    );
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60])('the number %d is not written', (port) => {
    const step = { ...send(0), command: { type: 'evtchn.send', domid: 1, port } } as Step;
    expect(() => write([step])).toThrow(/can not be written/);
  });

  test('carries the pieces of images that were read', () => {
    const parts: Uint8Array[] = [];
    const writer = new LogWriter(header, (bytes) => parts.push(bytes.slice()));
    writer.append(send(0));
    writer.addBlob({ image: 0, chunk: 3, bytes: Uint8Array.of(1, 2, 3) });
    writer.end({ steps: 1, state: 0, memory: 0 });
    const log = new Log(Uint8Array.from(parts.flatMap((part) => [...part])));
    expect([...log.blobs()]).toEqual([{ image: 0, chunk: 3, bytes: Uint8Array.of(1, 2, 3) }]);
  });
});

describe('a damaged log', () => {
  const file = write(Array.from({ length: 20 }, (_, seq) => send(seq)));

  test('any flipped bit is an error that says where', () => {
    fc.assert(
      fc.property(fc.nat({ max: file.length - 1 }), fc.nat({ max: 7 }), (at, bit) => {
        const damaged = file.slice();
        damaged[at]! ^= 1 << bit;
        expect(() => [...new Log(damaged).steps()]).toThrow(/header|block \d|not a Xenolog run|format \d/);
      }),
      { numRuns: 2000 },
    );
  });

  test('a cut is reported, and what is whole is read', () => {
    const whole = write(Array.from({ length: STEPS_PER_BLOCK + 9 }, (_, seq) => send(seq)));
    const header_length = whole.length - blocksOf(whole);
    for (let cut = header_length; cut < whole.length; cut += 97) {
      const log = new Log(whole.slice(0, cut));
      expect(log.torn).toMatch(/cut off|not closed/);
      expect([0, STEPS_PER_BLOCK, STEPS_PER_BLOCK + 9]).toContain(log.length);
      expect([...log.steps()]).toHaveLength(log.length);
    }
  });

  test('a run that broke off keeps what it had', () => {
    const parts: Uint8Array[] = [];
    const writer = new LogWriter(header, (bytes) => parts.push(bytes.slice()));
    for (let seq = 0; seq < 3; seq++) writer.append(send(seq));
    writer.cut();
    const log = new Log(Uint8Array.from(parts.flatMap((part) => [...part])));
    expect(log).toMatchObject({ length: 3, end: undefined, torn: expect.stringContaining('not closed') });
  });

  test.each([0, 5, 19])('%i bytes are no log', (length) => {
    expect(() => new Log(file.slice(0, length))).toThrow(/not a Xenolog run|cut off/);
  });

  test('one of a newer format says so', () => {
    const newer = file.slice();
    new DataView(newer.buffer).setUint32(8, FORMAT_VERSION + 1, true);
    // The checksum of the header covers the version, so it is made anew here.
    expect(() => new Log(newer)).toThrow(/checksum/);
  });

  test('something after the end is an error', () => {
    expect(() => new Log(Uint8Array.from([...file, 0]))).toThrow(/follow the end/);
  });
});

/** How many bytes the blocks take: everything from the first block's magic on. */
function blocksOf(bytes: Uint8Array): number {
  for (let at = 0; at < bytes.length; at++)
    if (bytes[at] === 0x58 && bytes[at + 1] === 0x42 && bytes[at + 2] === 0x4c && bytes[at + 3] === 0x4b)
      return bytes.length - at;
  return 0;
}
