import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../../events/bytes.ts';
import { currentShape, type ShapeField } from '../../events/shape.ts';
import type { Step } from '../../events/vocabulary.ts';
import { putRow, type Row, takeRow } from './row.ts';

const bytesOf = (row: Row): Uint8Array => {
  const out = new ByteWriter();
  putRow(out, row);
  return out.take();
};
const values = (salt: number): Readonly<Record<ShapeField[1], unknown>> => ({
  int: -(2 ** 40) - salt,
  bool: salt % 2 === 1,
  name: undefined,
  text: `\0\xff${salt}`,
  texts: ['', `a${salt}`],
  ints: [0, -salt, 2 ** 50],
  bytes: Uint8Array.of(salt & 255, 0),
});
const filled = (fields: readonly ShapeField[], salt: number): object =>
  Object.fromEntries(
    fields.map(([name, kind, names], n) => [name, kind === 'name' ? names![salt % names!.length] : values(salt + n)[kind]]),
  );

/** A step of every command, and with every fact, in every form of outcome. */
const rows: Row[] = currentShape.commands.map(([type, args, returns], seq) => {
  const value = filled(returns, seq);
  const events = currentShape.facts
    .filter((_, n) => n % 7 === seq % 7)
    .map(([fact, fields]) => ({ type: fact, ...filled(fields, seq) }));
  const errno = currentShape.errnos[seq % currentShape.errnos.length];
  const outcome = [
    { ok: true, value, events },
    { ok: false, errno },
    { ok: false, errno, value },
    { ok: false, errno, value, events },
  ][seq % 4];
  const step = {
    seq,
    time: seq * 1e9,
    origin: `d${seq}v0`,
    cause: seq % 5 === 0 ? null : seq - (seq % 5),
    ...(seq % 3 === 0 && { batch: seq }),
    command: { type, ...filled(args, seq) },
    reads: seq % 2 === 0 ? [] : [0, 2 ** 32 - 1],
    outcome,
  };
  return { blobs: seq % 6 === 0 ? [{ image: 1, chunk: seq, bytes: Uint8Array.of(1, 2, 3) }] : [], step: step as unknown as Step };
});

describe('a row', () => {
  test.each(rows.map((row) => [row.step.command.type, row] as const))('%s comes back as it was', (_, row) => {
    expect(takeRow(bytesOf(row), row.step.seq)).toEqual(row);
  });
  test('cut short, or with something behind it, is none', () => {
    for (const row of rows) {
      const whole = bytesOf(row);
      expect(takeRow(whole.subarray(0, -1), row.step.seq)).toBeUndefined();
      expect(takeRow(Uint8Array.from([...whole, 0]), row.step.seq)).toBeUndefined();
    }
  });
  test('any bytes are a row or none, and never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(), (bytes, seq) => {
        const row = takeRow(bytes, seq);
        if (row) expect(row.step.seq).toBe(seq);
      }),
      { numRuns: 2000 },
    );
  });
});
