import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Dhcp, dhcpIn, dhcpPacket, emptyDhcp, makeDhcp, OPTION, parseDhcp } from './dhcp.ts';
import { parseIpv4 } from './ipv4.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
const zeros = (length: number): string => '00'.repeat(length);
const CHADDR = `00163e000001${zeros(10)}`;
const REST = `${zeros(192)}63825363`;

const discover: Dhcp = {
  ...emptyDhcp,
  op: 'request',
  message_type: 'discover',
  xid: 0x3903_f326,
  secs: 4,
  broadcast: true,
  chaddr: 0x0016_3e00_0001,
  hostname: 'web',
  requested_ip: 0x0a00_0009,
  parameters: '\x01\x03\x06\x33',
};
const discoverHex = `010106003903f32600048000${zeros(16)}${CHADDR}${REST}3501010c0377656232040a000009370401030633ff`;
const ack: Dhcp = {
  ...emptyDhcp,
  op: 'reply',
  message_type: 'ack',
  xid: 0x3903_f326,
  yiaddr: 0x0a00_0009,
  siaddr: 0x0a00_0001,
  chaddr: 0x0016_3e00_0001,
  subnet_mask: 0xffff_ff00,
  routers: [0x0a00_0001],
  dns: [0x0a00_0001, 0x0101_0101],
  lease_s: 3600,
  server_id: 0x0a00_0001,
};
const ackHex =
  `020106003903f32600000000${zeros(4)}0a0000090a000001${zeros(4)}${CHADDR}${REST}` +
  '3501050104ffffff0003040a00000106080a00000101010101330400000e1036040a000001ff';

describe('on the wire', () => {
  test.each([
    ['discover', discover, discoverHex],
    ['ack', ack, ackHex],
  ])('%s', (_, message, text) => {
    const bytes = hex(text);
    const padded = new Uint8Array(300);
    padded.set(bytes);
    expect(makeDhcp(message)).toEqual(padded);
    expect(parseDhcp(padded)).toEqual(message);
    expect(parseDhcp(bytes)).toEqual(message);
  });
});

describe('options', () => {
  const withOptions = (options: string, fields: { sname?: string; file?: string } = {}): Dhcp | undefined => {
    const bytes = hex(`${discoverHex.slice(0, 480)}${options}`);
    bytes.set(hex(fields.sname ?? ''), 44);
    bytes.set(hex(fields.file ?? ''), 108);
    return parseDhcp(bytes);
  };
  const bare: Dhcp = { ...discover, hostname: '', requested_ip: 0, parameters: '' };

  test.each([
    ['padding between them', '00003501010000ff', bare],
    ['no end', '350101', bare],
    ['an unknown one', 'e00401020304350101ff', bare],
    ['what stands behind the end', '350101ff0c0141', bare],
    ['one that ends too early', '3501010c0541', bare],
    ['one without a length', '3501010c', bare],
    ['an address of a wrong length', '35010132030a0000ff', bare],
    ['a list of a wrong length', '35010103050a00000101ff', bare],
    [
      'one in two pieces (RFC 3396)',
      '3501010c02776532040a0000090c0162ff',
      { ...bare, hostname: 'web', requested_ip: 0x0a00_0009 },
    ],
  ])('%s', (_, options, expected) => {
    expect(withOptions(options)).toEqual(expected);
  });

  test.each([
    ['file', '350101340101ff', { ...bare, hostname: 'f' }],
    ['sname', '350101340102ff', { ...bare, requested_ip: 0x0a00_0009 }],
    ['both', '350101340103ff', { ...bare, hostname: 'f', requested_ip: 0x0a00_0009 }],
    ['neither', '350101ff', bare],
  ])('in %s', (_, options, expected) => {
    expect(withOptions(options, { file: '0c0166ff', sname: '32040a000009ff' })).toEqual(expected);
  });

  test.each([
    ['plain BOOTP', 'ff'],
    ['message type 0', '350100ff'],
    ['message type 9', '350109ff'],
  ])('refused: %s', (_, options) => {
    expect(withOptions(options)).toBeUndefined();
  });
});

test.each([
  ['op', 0, 3],
  ['hardware type', 1, 6],
  ['hardware length', 2, 16],
  ['cookie', 239, 0],
])('refused: another %s', (_, at, value) => {
  expect(parseDhcp(hex(discoverHex).with(at, value))).toBeUndefined();
});

test('a hostname that is too long is cut', () => {
  expect(parseDhcp(makeDhcp({ ...discover, hostname: 'x'.repeat(300) }))?.hostname).toBe('x'.repeat(255));
});

describe('in a packet', () => {
  test('to the port of its direction', () => {
    for (const [message, port] of [
      [discover, 67],
      [ack, 68],
    ] as const) {
      const packet = parseIpv4(dhcpPacket(message, { src: 0, dst: 0xffff_ffff }))!;
      expect((packet.payload[2]! << 8) | packet.payload[3]!).toBe(port);
      expect(dhcpIn(packet)).toEqual(message);
      expect(dhcpIn({ ...packet, protocol: 6 })).toBeUndefined();
      expect(dhcpIn({ ...packet, more_fragments: true })).toBeUndefined();
      // Port 67 against 68, with the checksum taken out.
      const swapped = packet.payload
        .with(3, 135 - port)
        .with(6, 0)
        .with(7, 0);
      expect(dhcpIn({ ...packet, payload: swapped })).toBeUndefined();
    }
  });
});

const u32 = fc.nat(0xffff_ffff);
const some = fc.integer({ min: 1, max: 0xffff_ffff });
const byteString = fc.uint8Array({ maxLength: 255 }).map((bytes) => String.fromCharCode(...bytes));
const dhcpMessages: fc.Arbitrary<Dhcp> = fc.record({
  op: fc.constantFrom('request', 'reply'),
  message_type: fc.constantFrom('discover', 'offer', 'request', 'decline', 'ack', 'nak', 'release', 'inform'),
  xid: u32,
  secs: fc.nat(0xffff),
  broadcast: fc.boolean(),
  ciaddr: u32,
  yiaddr: u32,
  siaddr: u32,
  giaddr: u32,
  chaddr: fc.maxSafeNat().map((n) => n % 2 ** 48),
  subnet_mask: u32,
  routers: fc.array(some, { maxLength: 63 }),
  dns: fc.array(some, { maxLength: 63 }),
  hostname: byteString,
  requested_ip: u32,
  lease_s: u32,
  server_id: u32,
  parameters: byteString,
  client_id: byteString,
});

test('parse(make(x)) is x', () => {
  fc.assert(
    fc.property(dhcpMessages, (message) => {
      expect(parseDhcp(makeDhcp(message))).toEqual(message);
    }),
  );
});

test('nothing throws: garbage behind a right beginning', () => {
  const start = hex(discoverHex).subarray(0, 240);
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(255), fc.constantFrom(...Object.values(OPTION))), { maxLength: 80 }), (tail) => {
      parseDhcp(Uint8Array.from([...start, ...tail]));
      parseDhcp(Uint8Array.from(tail));
    }),
  );
});
