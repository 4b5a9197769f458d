import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Width, widths } from '../../abi/struct.ts';
import { Memory } from '../../memory/memory.ts';
import { Journal } from '../../tables/journal.ts';
import {
  BLKIF_OP,
  BLKIF_RSP,
  type BlkifReceived,
  type BlkifRequest,
  blkif,
  blkif_request,
  blkif_request_discard,
  blkif_request_segment,
  blkif_response,
} from './blkif.ts';
import {
  backRing,
  frontRing,
  getRequest,
  getResponse,
  initRing,
  pushRequests,
  pushResponses,
  putRequest,
  putResponse,
} from './ring.ts';

const MFN = 3;
const AT = 64;
const fresh = () => new Memory(new Journal());
const hex = (memory: Memory, at: number, length: number) => Buffer.from(memory.read(MFN, at, length)).toString('hex');

// offsetof and sizeof as gcc finds them in Xen 4.17's public/io/blkif.h, for x86_64 and i386.
test.each([
  ['request, x86_64', blkif_request.x86_64, { operation: 0, nr_segments: 1, handle: 2, id: 8, sector_number: 16, seg: 24 }, 112],
  ['request, x86_32', blkif_request.x86_32, { operation: 0, nr_segments: 1, handle: 2, id: 4, sector_number: 12, seg: 20 }, 108],
  [
    'discard, x86_64',
    blkif_request_discard.x86_64,
    { operation: 0, flag: 1, handle: 2, id: 8, sector_number: 16, nr_sectors: 24 },
    32,
  ],
  [
    'discard, x86_32',
    blkif_request_discard.x86_32,
    { operation: 0, flag: 1, handle: 2, id: 4, sector_number: 12, nr_sectors: 20 },
    28,
  ],
  ['segment, x86_64', blkif_request_segment.x86_64, { gref: 0, first_sect: 4, last_sect: 5 }, 8],
  ['segment, x86_32', blkif_request_segment.x86_32, { gref: 0, first_sect: 4, last_sect: 5 }, 8],
  ['response, x86_64', blkif_response.x86_64, { id: 0, operation: 8, status: 10 }, 16],
  ['response, x86_32', blkif_response.x86_32, { id: 0, operation: 8, status: 10 }, 12],
])('%s', (_, layout, offset, size) => {
  expect([layout.offset, layout.size]).toEqual([offset, size]);
});

test.each([
  ['x86_64', 112],
  ['x86_32', 108],
] as const)('%s: 32 slots of %i bytes', (width, entry_size) => {
  expect(blkif[width]).toMatchObject({ nr_ents: 32, entry_size });
});

const write: BlkifRequest = {
  operation: BLKIF_OP.WRITE,
  handle: 0xca01,
  id: 0x1122334455667788n,
  sector_number: 0x1_0000_0002,
  segments: [{ gref: 0x0a0b0c0d, first_sect: 1, last_sect: 7 }],
};
const discard: BlkifRequest = { operation: BLKIF_OP.DISCARD, handle: 0xca01, id: 5n, sector_number: 8, flag: 1, nr_sectors: 16 };

test.each([
  ['x86_64', write, `010101ca00000000${'8877665544332211'}${'0200000001000000'}${'0d0c0b0a01070000'}`],
  ['x86_32', write, `010101ca${'8877665544332211'}${'0200000001000000'}${'0d0c0b0a01070000'}`],
  ['x86_64', discard, `050101ca00000000${'0500000000000000'}${'0800000000000000'}${'1000000000000000'}`],
  ['x86_32', discard, `050101ca${'0500000000000000'}${'0800000000000000'}${'1000000000000000'}`],
] as const)('%s: a request, byte by byte', (width, request, bytes) => {
  const memory = fresh();
  blkif[width].writeRequest(memory, MFN, AT, request);
  expect(hex(memory, AT, bytes.length / 2)).toBe(bytes);
});

test('a response, byte by byte', () => {
  const memory = fresh();
  blkif.x86_64.writeResponse(memory, MFN, AT, { id: 0x1122334455667788n, operation: 1, status: BLKIF_RSP.EOPNOTSUPP });
  expect(hex(memory, AT, 12)).toBe('88776655443322110100feff');
});

describe.each(widths)('%s', (width: Width) => {
  const { offset } = blkif_request[width];
  const read = (spoil: (memory: Memory) => void): BlkifReceived => {
    const memory = fresh();
    blkif[width].writeRequest(memory, MFN, AT, write);
    spoil(memory);
    return blkif[width].readRequest(memory, MFN, AT);
  };
  const refused = (problem: string, operation: number = BLKIF_OP.WRITE) => ({ ok: false, operation, id: write.id, problem });

  test.each<[string, (memory: Memory) => void, object]>([
    ['as written', () => {}, { ok: true, request: write }],
    ['INDIRECT', (m) => m.put8(MFN, AT, 6), refused('operation', 6)],
    ['RESERVED_1', (m) => m.put8(MFN, AT, 4), refused('operation', 4)],
    ['12 segments', (m) => m.put8(MFN, AT + 1, 12), refused('nr_segments')],
    ['last_sect 8', (m) => m.put8(MFN, AT + offset.seg + 5, 8), refused('segment')],
    ['first_sect after last_sect', (m) => m.put16(MFN, AT + offset.seg + 4, 0x0102), refused('segment')],
    ['sector 2^53', (m) => m.put32(MFN, AT + offset.sector_number + 4, 2 ** 21), refused('sector_number')],
    [
      'a flush with sector -1, as Linux sends it',
      (m) => {
        m.put8(MFN, AT, BLKIF_OP.FLUSH_DISKCACHE);
        m.put8(MFN, AT + 1, 0);
        m.put64(MFN, AT + offset.sector_number, 2n ** 64n - 1n);
      },
      { ok: true, request: { ...write, operation: BLKIF_OP.FLUSH_DISKCACHE, sector_number: 0, segments: [] } },
    ],
  ])('%s', (_, spoil, received) => {
    expect(read(spoil)).toEqual(received);
  });

  test('12 segments asked for: 11 are written, and the backend is told 12', () => {
    const memory = fresh();
    const segments = Array.from({ length: 12 }, () => ({ gref: 9, first_sect: 0, last_sect: 7 }));
    blkif[width].writeRequest(memory, MFN, AT, { ...write, segments });
    expect(memory.get8(MFN, AT + 1)).toBe(12);
    expect(memory.get32(MFN, AT + blkif[width].entry_size)).toBe(0);
  });

  const common = { handle: fc.nat(0xffff), id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), sector_number: fc.maxSafeNat() };
  const segment = fc
    .tuple(fc.nat(0xffffffff), fc.nat(7), fc.nat(7))
    .map(([gref, a, b]) => ({ gref, first_sect: Math.min(a, b), last_sect: Math.max(a, b) }));
  const request: fc.Arbitrary<BlkifRequest> = fc.oneof(
    fc.record({
      operation: fc.constantFrom(BLKIF_OP.READ, BLKIF_OP.WRITE, BLKIF_OP.WRITE_BARRIER, BLKIF_OP.FLUSH_DISKCACHE),
      segments: fc.array(segment, { maxLength: 11 }),
      ...common,
    }),
    fc.record({ operation: fc.constant(BLKIF_OP.DISCARD), flag: fc.nat(255), nr_sectors: fc.maxSafeNat(), ...common }),
  );

  test('requests and responses come through the ring as they were sent', () => {
    fc.assert(
      fc.property(fc.array(request, { maxLength: 32 }), fc.constantFrom(0, -1, -2), (requests, status) => {
        const memory = fresh();
        initRing(memory, MFN);
        let front = frontRing();
        let back = backRing();
        for (const sent of requests) front = putRequest(memory, MFN, blkif[width], front, sent)!;
        pushRequests(memory, MFN, front);
        for (const sent of requests) {
          const taken = getRequest(memory, MFN, blkif[width], back)!;
          expect(taken.request).toEqual({ ok: true, request: sent });
          back = putResponse(memory, MFN, blkif[width], taken.back, { id: sent.id, operation: sent.operation, status })!;
        }
        pushResponses(memory, MFN, back);
        for (const { id, operation } of requests) {
          const taken = getResponse(memory, MFN, blkif[width], front)!;
          expect(taken.response).toEqual({ id, operation, status });
          front = taken.front;
        }
      }),
    );
  });

  test('any bytes are a request or say what is wrong', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 112, maxLength: 112 }), fc.nat(7), (bytes, operation) => {
        const memory = fresh();
        memory.write(MFN, AT, bytes);
        memory.put8(MFN, AT, operation);
        const received = blkif[width].readRequest(memory, MFN, AT);
        if (received.ok) {
          expect(received.request.operation).toBe(operation);
          expect(Number.isSafeInteger(received.request.sector_number)).toBe(true);
        } else expect(received).toMatchObject({ operation, id: memory.get64(MFN, AT + offset.id) });
      }),
    );
  });
});
