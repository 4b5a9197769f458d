import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Frames } from '../../memory/memory.ts';
import { Memory } from '../../memory/memory.ts';
import { Journal } from '../../tables/journal.ts';
import { readIn, readOut, writeIn, writeOut, xencons_interface } from './console.ts';
import { readReq, readRsp, ringIsSane, writeReq, writeRsp, xenstore_domain_interface } from './xenstore.ts';

const MFN = 3;
const fresh = () => new Memory(new Journal());
const text = (value: string) => new TextEncoder().encode(value);

// offsetof and sizeof as gcc finds them in Xen 4.17's public/io/console.h and xs_wire.h; the same for x86_64 and i386.
test.each([
  ['console', xencons_interface, { in: 0, out: 1024, in_cons: 3072, in_prod: 3076, out_cons: 3080, out_prod: 3084 }, 3088],
  [
    'xenstore',
    xenstore_domain_interface,
    {
      req: 0,
      rsp: 1024,
      req_cons: 2048,
      req_prod: 2052,
      rsp_cons: 2056,
      rsp_prod: 2060,
      server_features: 2064,
      connection: 2068,
      error: 2072,
    },
    2076,
  ],
])('%s page', (_, { x86_64, x86_32 }, offset, size) => {
  expect([x86_64.offset, x86_64.size]).toEqual([offset, size]);
  expect([x86_32.offset, x86_32.size]).toEqual([offset, size]);
});

type Write = (frames: Frames, mfn: number, data: Uint8Array) => number;
type Read = (frames: Frames, mfn: number, limit?: number) => Uint8Array;
const streams: [string, Write, Read, { data: number; size: number; cons: number; prod: number }][] = [
  ['console in', writeIn, readIn, { data: 0, size: 1024, cons: 3072, prod: 3076 }],
  ['console out', writeOut, readOut, { data: 1024, size: 2048, cons: 3080, prod: 3084 }],
  ['xenstore req', writeReq, readReq, { data: 0, size: 1024, cons: 2048, prod: 2052 }],
  ['xenstore rsp', writeRsp, readRsp, { data: 1024, size: 1024, cons: 2056, prod: 2060 }],
];

describe.each(streams)('%s', (_, write, read, { data, size, cons, prod }) => {
  test('bytes stand where the header says', () => {
    const memory = fresh();
    expect(write(memory, MFN, text('ab'))).toBe(2);
    expect([memory.get8(MFN, data), memory.get8(MFN, data + 1)]).toEqual([0x61, 0x62]);
    expect([memory.get32(MFN, cons), memory.get32(MFN, prod)]).toEqual([0, 2]);
    expect(read(memory, MFN, 1)).toEqual(text('a'));
    expect([memory.get32(MFN, cons), memory.get32(MFN, prod)]).toEqual([1, 2]);
    expect(memory.resident()).toEqual([MFN]);
  });

  test('takes what fits, and leaves its neighbours alone', () => {
    const memory = fresh();
    expect(write(memory, MFN, new Uint8Array(5000).fill(0xee))).toBe(size);
    expect(write(memory, MFN, text('x'))).toBe(0);
    const used = [...memory.read(MFN, 0, 4096)].filter((byte) => byte === 0xee).length;
    expect(used).toBe(size);
    expect(memory.get8(MFN, data + size - 1)).toBe(0xee);
    expect(read(memory, MFN)).toHaveLength(size);
    expect(read(memory, MFN)).toHaveLength(0);
  });

  test.each([
    ['prod far ahead', 0, size + 1],
    ['prod behind', 5, 4],
    ['half the world apart', 0, 2 ** 31],
  ])('nonsense indices, %s: nothing moves', (_name, from, to) => {
    const memory = fresh();
    memory.put32(MFN, cons, from);
    memory.put32(MFN, prod, to);
    expect(write(memory, MFN, text('x'))).toBe(0);
    expect(read(memory, MFN)).toHaveLength(0);
    expect([memory.get32(MFN, cons), memory.get32(MFN, prod)]).toEqual([from, to]);
  });

  test('is a stream: what goes in comes out, across every wrap', () => {
    const step = fc.oneof(
      fc.uint8Array({ maxLength: 2500, size: 'max' }).map((bytes) => ({ bytes })),
      fc.integer({ min: -1, max: 3000 }).map((limit) => ({ limit })),
    );
    const start = fc.tuple(fc.constantFrom(0, 2 ** 31, 2 ** 32), fc.nat(2000)).map(([edge, before]) => (edge - before) >>> 0);
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 12 }), (index, steps) => {
        const memory = fresh();
        memory.put32(MFN, cons, index);
        memory.put32(MFN, prod, index);
        let queue: number[] = [];
        for (const now of steps) {
          if ('bytes' in now) {
            const count = write(memory, MFN, now.bytes);
            expect(count).toBe(Math.min(now.bytes.length, size - queue.length));
            queue = queue.concat([...now.bytes.subarray(0, count)]);
          } else {
            const taken = read(memory, MFN, now.limit);
            expect([...taken]).toEqual(queue.slice(0, Math.max(0, now.limit)));
            queue = queue.slice(taken.length);
          }
        }
      }),
    );
  });
});

test.each([
  ['empty', [0, 0, 0, 0], true],
  ['full', [0, 1024, 5, 1029], true],
  ['requests', [0, 1025, 0, 0], false],
  ['replies', [0, 0, 1, 0], false],
])('xenstored looks at the indices: %s', (_, words, sane) => {
  const memory = fresh();
  words.forEach((value, i) => {
    memory.put32(MFN, 2048 + 4 * i, value);
  });
  expect(ringIsSane(memory, MFN)).toBe(sane);
});
