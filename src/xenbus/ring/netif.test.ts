import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Memory } from '../../memory/memory.ts';
import { Journal } from '../../tables/journal.ts';
import {
  NETIF_RSP,
  NETRXF,
  NETTXF,
  netif_extra_info,
  netif_rx_request,
  netif_rx_response,
  netif_tx_request,
  netif_tx_response,
  netifRx,
  netifRxExtra,
  netifTx,
  netifTxExtra,
  XEN_NETIF_EXTRA_TYPE,
} from './netif.ts';
import { backRing, frontRing, getRequest, initRing, pushRequests, putRequest } from './ring.ts';

const MFN = 3;
const AT = 64;
const fresh = () => new Memory(new Journal());
const hex = (memory: Memory, length: number) => Buffer.from(memory.read(MFN, AT, length)).toString('hex');

// offsetof and sizeof as gcc finds them in Xen 4.17's public/io/netif.h; the same for x86_64 and i386.
test.each([
  ['tx request', netif_tx_request, { gref: 0, offset: 4, flags: 6, id: 8, size: 10 }, 12],
  ['tx response', netif_tx_response, { id: 0, status: 2 }, 4],
  ['rx request', netif_rx_request, { id: 0, pad: 2, gref: 4 }, 8],
  ['rx response', netif_rx_response, { id: 0, offset: 2, flags: 4, status: 6 }, 8],
  ['extra info', netif_extra_info, { type: 0, flags: 1, u: 2 }, 8],
])('%s', (_, { x86_64, x86_32 }, offset, size) => {
  expect([x86_64.offset, x86_64.size]).toEqual([offset, size]);
  expect([x86_32.offset, x86_32.size]).toEqual([offset, size]);
});

test('256 slots of 12 and of 8 bytes', () => {
  expect(netifTx).toMatchObject({ nr_ents: 256, entry_size: 12 });
  expect(netifRx).toMatchObject({ nr_ents: 256, entry_size: 8 });
});

test('every message, byte by byte', () => {
  const memory = fresh();
  netifTx.writeRequest(memory, MFN, AT, {
    gref: 0x01020304,
    offset: 0x10,
    flags: NETTXF.csum_blank | NETTXF.extra_info,
    id: 7,
    size: 1500,
  });
  expect(hex(memory, 12)).toBe('04030201100009000700dc05');
  netifTx.writeResponse(memory, MFN, AT, { id: 7, status: NETIF_RSP.DROPPED });
  expect(hex(memory, 4)).toBe('0700feff');
  netifRx.writeRequest(memory, MFN, AT, { id: 7, gref: 0x01020304 });
  expect(hex(memory, 8)).toBe('0700000004030201');
  netifRx.writeResponse(memory, MFN, AT, { id: 7, offset: 2, flags: NETRXF.more_data, status: 60 });
  expect(hex(memory, 8)).toBe('0700020004003c00');
  netifRxExtra.writeResponse(memory, MFN, AT, {
    type: XEN_NETIF_EXTRA_TYPE.GSO,
    flags: 0,
    data: new Uint8Array([0xb4, 5, 1, 0, 0, 0]),
  });
  expect(hex(memory, 8)).toBe('0100b40501000000');
});

test('an extra stands in the slot after the request that announces it', () => {
  const memory = fresh();
  initRing(memory, MFN);
  const packet = { gref: 1, offset: 0, flags: NETTXF.extra_info, id: 1, size: 60 };
  const extra = { type: XEN_NETIF_EXTRA_TYPE.MCAST_ADD, flags: 0, data: new Uint8Array([1, 0, 0x5e, 0, 0, 1]) };
  let front = putRequest(memory, MFN, netifTx, frontRing(), packet)!;
  front = putRequest(memory, MFN, netifTxExtra, front, extra)!;
  pushRequests(memory, MFN, front);
  const first = getRequest(memory, MFN, netifTx, backRing())!;
  const second = getRequest(memory, MFN, netifTxExtra, first.back)!;
  expect([first.request, second.request]).toEqual([packet, extra]);
  expect(getRequest(memory, MFN, netifTx, second.back)).toBeUndefined();
});

const u16 = fc.nat(0xffff);
const i16 = fc.integer({ min: -0x8000, max: 0x7fff });
const u32 = fc.nat(0xffffffff);
test('what is written reads the same', () => {
  const messages = {
    txRequest: fc.record({ gref: u32, offset: u16, flags: u16, id: u16, size: u16 }),
    txResponse: fc.record({ id: u16, status: i16 }),
    rxRequest: fc.record({ id: u16, gref: u32 }),
    rxResponse: fc.record({ id: u16, offset: u16, flags: u16, status: i16 }),
    extra: fc.record({ type: fc.nat(255), flags: fc.nat(255), data: fc.uint8Array({ minLength: 6, maxLength: 6 }) }),
  };
  fc.assert(
    fc.property(fc.record(messages), ({ txRequest, txResponse, rxRequest, rxResponse, extra }) => {
      const memory = fresh();
      netifTx.writeRequest(memory, MFN, AT, txRequest);
      expect(netifTx.readRequest(memory, MFN, AT)).toEqual(txRequest);
      netifTx.writeResponse(memory, MFN, AT, txResponse);
      expect(netifTx.readResponse(memory, MFN, AT)).toEqual(txResponse);
      netifRx.writeRequest(memory, MFN, AT, rxRequest);
      expect(netifRx.readRequest(memory, MFN, AT)).toEqual(rxRequest);
      netifRx.writeResponse(memory, MFN, AT, rxResponse);
      expect(netifRx.readResponse(memory, MFN, AT)).toEqual(rxResponse);
      netifRxExtra.writeResponse(memory, MFN, AT, extra);
      expect(netifRxExtra.readResponse(memory, MFN, AT)).toEqual(extra);
    }),
  );
});
