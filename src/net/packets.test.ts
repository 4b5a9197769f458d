// Whole packets as independent implementations write them, then what no input may do.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BROADCAST_MAC } from './address.ts';
import { type Arp, arpRequestFrame, makeArp, parseArp } from './arp.ts';
import { fromByteString, toByteString } from './bytes.ts';
import { checksum } from './checksum.ts';
import { ETHERTYPE_ARP, makeEthernet, parseEthernet } from './ethernet.ts';
import { type Icmp, makeIcmp, parseIcmp, quotedEchoRequest } from './icmp.ts';
import { type Ipv4, ipv4Defaults, isFragment, makeIpv4, PROTOCOL_ICMP, parseIpv4 } from './ipv4.ts';
import { makeUdp, parseUdp } from './udp.ts';

const hex = (text: string): Uint8Array => Uint8Array.from(text.match(/[0-9a-f]{2}/g) ?? [], (pair) => Number.parseInt(pair, 16));
const toHex = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
/** The same bytes with one of them changed. */
const spoil = (bytes: Uint8Array, at: number): Uint8Array => bytes.with(at, bytes[at]! ^ 1);

const MAC = 0x0016_3e00_0001;
const A = 0x0a00_0002;
const B = 0x0a00_0001;

describe('checksum', () => {
  test.each([
    ['RFC 1071 section 3', '0001f203f4f5f6f7', 0x220d],
    ['an odd last byte', '0001f203f4f5f6', 0x2304],
    ['nothing', '', 0xffff],
    ['a header that is right', '45000073000040004011b861c0a80001c0a800c7', 0],
    ['carries that carry', 'ffffffff0001', 0xfffe],
  ])('%s', (_, bytes, expected) => {
    expect(checksum(hex(bytes))).toBe(expected);
  });
});

describe('arp', () => {
  const frame = 'ffffffffffff00163e0000010806' + '0001080006040001' + '00163e0000010a000002' + '0000000000000a000001';
  const request: Arp = { op: 'request', sha: MAC, spa: A, tha: 0, tpa: B };

  test('request on the wire', () => {
    expect(toHex(arpRequestFrame({ sha: MAC, spa: A, tpa: B }))).toBe(frame);
    const ethernet = parseEthernet(hex(frame))!;
    expect(ethernet).toMatchObject({ dst: BROADCAST_MAC, src: MAC, type: ETHERTYPE_ARP });
    expect(parseArp(ethernet.payload)).toEqual(request);
  });

  test('padding is ignored', () => {
    expect(parseArp(hex(`${frame.slice(28)}${'00'.repeat(18)}`))).toEqual(request);
  });

  test.each([
    ['hardware type', 1],
    ['protocol type', 2],
    ['hardware length', 4],
    ['protocol length', 5],
  ])('another %s', (_, at) => {
    expect(parseArp(spoil(makeArp(request), at))).toBeUndefined();
  });

  test.each([0, 3, 256])('operation %i', (op) => {
    expect(
      parseArp(
        makeArp(request)
          .with(6, op >> 8)
          .with(7, op & 255),
      ),
    ).toBeUndefined();
  });
});

describe('ipv4', () => {
  const icmp = '4500002400004000400126d70a0000020a000001' + '0800d9ba123400010001020304050607';
  const packet: Ipv4 = { ...ipv4Defaults, src: A, dst: B, protocol: PROTOCOL_ICMP, payload: hex(icmp.slice(40)) };

  test('packet on the wire', () => {
    expect(toHex(makeIpv4(packet))).toBe(icmp);
    expect(parseIpv4(hex(icmp))).toEqual(packet);
    expect(parseIpv4(hex(`${icmp}000000`))).toEqual(packet);
  });

  test('options are skipped', () => {
    const header = hex('460000180000000040010000' + '0a0000020a000001' + '94040000');
    const sum = checksum(header);
    const bytes = header.with(10, sum >> 8).with(11, sum & 255);
    expect(parseIpv4(bytes)).toMatchObject({ src: A, dst: B, payload: new Uint8Array(0) });
  });

  test.each([
    ['any bit of the header wrong', spoil(hex(icmp), 15)],
    ['shorter than it says', hex(icmp).subarray(0, 35)],
    ['shorter than a header', hex(icmp).subarray(0, 19)],
    ['version 6', hex(icmp).with(0, 0x65)],
    ['header shorter than a header', hex(icmp).with(0, 0x44)],
    ['header longer than the packet', hex(icmp).with(0, 0x4f)],
    ['empty', hex('')],
  ])('%s', (_, bytes) => {
    expect(parseIpv4(bytes)).toBeUndefined();
  });

  test.each([
    ['first', { more_fragments: true, fragment_offset: 0 }, true],
    ['last', { more_fragments: false, fragment_offset: 185 }, true],
    ['whole', { more_fragments: false, fragment_offset: 0 }, false],
  ])('fragment: %s', (_, fields, expected) => {
    expect(isFragment(parseIpv4(makeIpv4({ ...packet, dont_fragment: false, ...fields }))!)).toBe(expected);
  });

  test('a payload that does not fit is cut', () => {
    expect(makeIpv4({ ...packet, payload: new Uint8Array(70_000) }).length).toBe(0xffff);
  });
});

describe('icmp', () => {
  const request: Icmp = { type: 'echo_request', ident: 0x1234, seq: 1, payload: hex('0001020304050607') };

  test('echo request on the wire', () => {
    expect(toHex(makeIcmp(request))).toBe('0800d9ba123400010001020304050607');
    expect(parseIcmp(hex('0800d9ba123400010001020304050607'))).toEqual(request);
  });

  test.each([
    ['wrong checksum', '0800d9bb123400010001020304050607'],
    ['short', '0800f7ff000000'],
    ['code of an echo', '0801f7fe00000000'],
    ['timestamp', '0d00f2ff00000000'],
  ])('%s', (_, bytes) => {
    expect(parseIcmp(hex(bytes))).toBeUndefined();
  });

  test('an error quotes the request', () => {
    const original = makeIpv4({ ...ipv4Defaults, src: A, dst: B, protocol: PROTOCOL_ICMP, payload: makeIcmp(request) });
    const error = makeIcmp({ type: 'destination_unreachable', code: 1, original: original.subarray(0, 28) });
    expect(toHex(error.subarray(0, 2))).toBe('0301');
    const parsed = parseIcmp(error);
    expect(parsed).toMatchObject({ type: 'destination_unreachable', code: 1 });
    expect(quotedEchoRequest(original.subarray(0, 28))).toEqual({ dst: B, ident: 0x1234, seq: 1 });
    expect(quotedEchoRequest(original.subarray(0, 27))).toBeUndefined();
    expect(quotedEchoRequest(original.with(9, 17))).toBeUndefined();
    expect(quotedEchoRequest(original.with(20, 0))).toBeUndefined();
    expect(quotedEchoRequest(original.with(0, 0x4f).subarray(0, 60))).toBeUndefined();
  });
});

describe('udp', () => {
  const pseudo = { src: A, dst: B };
  const datagram = { src_port: 1000, dst_port: 53, payload: hex('616263') };

  test.each([
    ['odd length', '03e80035000b2356616263', datagram],
    ['a checksum that comes out as zero', '03e80035000affffe7ba', { ...datagram, payload: hex('e7ba') }],
  ])('on the wire: %s', (_, bytes, fields) => {
    expect(toHex(makeUdp(fields, pseudo))).toBe(bytes);
    expect(parseUdp(hex(bytes), pseudo)).toEqual(fields);
    expect(parseUdp(hex(bytes), { ...pseudo, src: B + 7 })).toBeUndefined();
  });

  test('without a checksum', () => {
    expect(parseUdp(hex('03e80035000b0000616263'), pseudo)).toEqual(datagram);
  });

  test.each([
    ['a wrong checksum', '03e80035000b2357616263'],
    ['a length below the header', '03e8003500070000'],
    ['a length beyond the packet', '03e80035000c0000616263'],
    ['short', '03e80035000800'],
  ])('%s', (_, bytes) => {
    expect(parseUdp(hex(bytes), pseudo)).toBeUndefined();
  });
});

describe('any input', () => {
  const payload = fc.uint8Array({ maxLength: 200 });
  const mac = fc.maxSafeNat().map((n) => n % 2 ** 48);
  const ip = fc.nat(0xffff_ffff);
  const u16 = fc.nat(0xffff);
  const u8 = fc.nat(0xff);

  test('no parser throws', () => {
    fc.assert(
      fc.property(payload, ip, (bytes, address) => {
        parseEthernet(bytes);
        parseArp(bytes);
        parseIpv4(bytes);
        parseIcmp(bytes);
        parseUdp(bytes, { src: address, dst: address });
        quotedEchoRequest(bytes);
      }),
    );
  });

  test('parse(make(x)) is x', () => {
    fc.assert(
      fc.property(fc.record({ dst: mac, src: mac, type: u16, payload }), (frame) => {
        expect(parseEthernet(makeEthernet(frame))).toEqual(frame);
      }),
    );
    fc.assert(
      fc.property(fc.record({ op: fc.constantFrom('request', 'reply'), sha: mac, spa: ip, tha: mac, tpa: ip }), (arp) => {
        expect(parseArp(makeArp(arp))).toEqual(arp);
      }),
    );
    const packets = fc.record({
      src: ip,
      dst: ip,
      protocol: u8,
      ttl: u8,
      tos: u8,
      id: u16,
      dont_fragment: fc.boolean(),
      more_fragments: fc.boolean(),
      fragment_offset: fc.nat(0x1fff),
      payload,
    });
    fc.assert(
      fc.property(packets, (packet) => {
        expect(parseIpv4(makeIpv4(packet))).toEqual(packet);
      }),
    );
    const messages: fc.Arbitrary<Icmp> = fc.oneof(
      fc.record({ type: fc.constantFrom('echo_request', 'echo_reply'), ident: u16, seq: u16, payload }),
      fc.record({ type: fc.constantFrom('destination_unreachable', 'time_exceeded'), code: u8, original: payload }),
    );
    fc.assert(
      fc.property(messages, (message) => {
        expect(parseIcmp(makeIcmp(message))).toEqual(message);
      }),
    );
    fc.assert(
      fc.property(fc.record({ src_port: u16, dst_port: u16, payload }), ip, ip, (udp, src, dst) => {
        const bytes = makeUdp(udp, { src, dst });
        expect(bytes[6]! | bytes[7]!).not.toBe(0);
        expect(parseUdp(bytes, { src, dst })).toEqual(udp);
      }),
    );
    fc.assert(
      fc.property(payload, (bytes) => {
        expect(fromByteString(toByteString(bytes))).toEqual(bytes);
      }),
    );
  });
});
