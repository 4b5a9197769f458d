// A guest's network driver and its stack at work: frames onto the tx ring, buffers and frames on the rx ring (xen-netfront's data path).
import { byteString, bytesOf } from '../../events/bytes.ts';
import type { DomId, Gref, Mfn } from '../../events/units.ts';
import { PAGE_SIZE } from '../../events/units.ts';
import { pageOf, type Work } from '../../src/guest/state.ts';
import { ipToText, textToIp } from '../../src/net/address.ts';
import {
  configure,
  input,
  newStack,
  type PingRequest,
  ping,
  type StackEvent,
  type StackTurn,
  tick,
} from '../../src/net/stack.ts';
import { NETRXF, netifRx, netifRxExtra, netifTx, XEN_NETIF_EXTRA_FLAG_MORE } from '../../src/xenbus/ring/netif.ts';
import {
  type FrontRing,
  finalCheckForResponses,
  getResponse,
  initRing,
  pushRequests,
  putRequest,
} from '../../src/xenbus/ring/ring.ts';
import { FRAME_NS } from './costs.ts';
import type { GuestInterface, Privates } from './private.ts';
import type { System } from './system.ts';

/** Empty buffers that an interface keeps on its rx ring: a power of two, so that a free-running index always finds its buffer. */
const RX_BUFFERS = 64;
/** Frames that may wait for a slot of the tx ring (Linux's default `txqueuelen`); more are lost. */
const MAX_WAITING = 1000;
/** The option that a DHCP client puts its name in has one byte for the length. */
const MAX_HOSTNAME = 255;

/** A packet off the rx ring; no `frame` where the backend said that it failed, or said nonsense. */
interface Received {
  readonly id: number;
  readonly slots: number;
  readonly frame: Uint8Array | undefined;
}

export class GuestNetwork {
  private readonly system: System;
  private readonly privates: Privates;
  constructor(system: System, privates: Privates) {
    this.system = system;
    this.privates = privates;
  }

  /** The rings and the stack are made when the frontend connects; buffers are posted at once, for the backend looks when it connects. */
  connect(domid: DomId, devid: number, origin: string): void {
    const { system, privates } = this;
    const { vifs } = system.host;
    const cause = system.lastSeq;
    if (this.interface(domid, devid)) this.release(domid, devid, origin);
    const row = vifs.frontRow(domid, devid);
    if (row < 0) return;
    const { mac, backend, tx_gfn, rx_gfn } = vifs.front.of(domid)!;
    for (const gfn of [tx_gfn, rx_gfn]) initRing(system.memory, system.host.xen.p2m.mfn(domid, gfn.at(row)));
    const remote_dom = backend.at(row);
    const rx: Gref[] = [];
    while (rx.length < RX_BUFFERS) {
      const ref = this.grant(domid, remote_dom, false, origin, cause);
      if (ref < 0) break;
      rx.push(ref);
    }
    const stack = newStack({ mac: mac.at(row), hostname: '' });
    const nothing = { wakeAt: undefined, tx: [], waiting: [], dhcp: [], pings: [] };
    privates.setInterfaces(domid, [...this.interfaces(domid), { devid, stack, rx, ...nothing }]);
    this.post(domid, devid, origin, cause);
  }

  /** Takes what came back on both rings: sent packets, whose slots are free again, and packets for the stack. */
  receive(domid: DomId, devid: number, origin: string): void {
    const { system } = this;
    const { vifs } = system.host;
    const cause = system.lastSeq;
    for (let row = vifs.frontRow(domid, devid); row >= 0; row = vifs.frontRow(domid, devid)) {
      const ring = this.ring(domid, row, 'tx_gfn');
      const taken = getResponse(system.memory, ring, netifTx, vifs.frontTx(domid, row));
      if (taken) {
        const { id } = taken.response;
        const packet = vifs.packetRow(domid, devid, id);
        const by = packet < 0 ? 0 : vifs.tx.of(domid)!.taken_by.at(packet);
        system.hypercall({ type: 'vif.note_reaped', domid, devid, id }, origin, by > 0 ? by : cause);
      } else if (!finalCheckForResponses(system.memory, ring, vifs.frontTx(domid, row))) break;
    }
    for (let row = vifs.frontRow(domid, devid); row >= 0; row = vifs.frontRow(domid, devid)) {
      const received = this.takeReceived(domid, devid, row);
      if (received) this.hear(domid, devid, received, origin, cause);
      else if (!finalCheckForResponses(system.memory, this.ring(domid, row, 'rx_gfn'), vifs.frontRx(domid, row))) break;
    }
    this.post(domid, devid, origin, cause);
  }

  /** args: hostname, xid, and the device if it is not the first. Ends with the address that was leased. */
  startDhcp(domid: DomId, { work, args, started_by }: Work): void {
    const { system, privates } = this;
    const [hostname = '', xid = '0', devid] = args;
    const own = this.chosen(domid, devid);
    if (!own) {
      this.finish(domid, work, started_by, 'ENODEV', '');
      return;
    }
    const stack = { ...own.stack, hostname: hostname.slice(0, MAX_HOSTNAME) };
    privates.setInterface(domid, own.devid, { dhcp: [...own.dhcp, work] });
    this.apply(domid, own.devid, configure(stack, Number(xid) >>> 0, system.now), started_by);
  }

  /** args: address, ident, seq, and the device if it is not the first. Ends with the reply, or with the reason why there is none. */
  startPing(domid: DomId, { work, args, started_by }: Work): void {
    const { system, privates } = this;
    const [text = '', ident = '0', seq = '0', devid] = args;
    const own = this.chosen(domid, devid);
    const dst = textToIp(text);
    if (!own || dst === undefined) {
      this.finish(domid, work, started_by, dst === undefined ? 'EINVAL' : 'ENETUNREACH', '');
      return;
    }
    const request: PingRequest = { dst, ident: Number(ident) & 0xffff, seq: Number(seq) & 0xffff };
    privates.setInterface(domid, own.devid, { pings: [...own.pings, { ...request, work }] });
    this.apply(domid, own.devid, ping(own.stack, request, system.now), started_by);
  }

  /** Does one thing that is due: an interface that has gone, the stack's timers, a frame that waited for a slot. False where nothing is. */
  progress(domid: DomId, origin: string): boolean {
    const { system, privates } = this;
    for (const { devid, stack, wakeAt, waiting } of this.interfaces(domid)) {
      if (system.host.vifs.frontRow(domid, devid) < 0) {
        this.release(domid, devid, origin);
        return true;
      }
      if (wakeAt !== undefined && wakeAt <= system.now) {
        this.apply(domid, devid, tick(stack, system.now), system.lastSeq);
        return true;
      }
      const [next] = waiting;
      if (next && this.transmit(domid, devid, bytesOf(next.frame), next.cause)) {
        privates.setInterface(domid, devid, { waiting: waiting.slice(1) });
        return true;
      }
    }
    return false;
  }

  /** What the stack made of something: its new state, frames to send, and the ends of works. */
  private apply(domid: DomId, devid: number, { state, out, events, wakeAt }: StackTurn, cause: number): void {
    this.privates.setInterface(domid, devid, { stack: state, wakeAt });
    for (const frame of out) this.send(domid, devid, frame, cause);
    for (const event of events) this.settle(domid, devid, event, cause);
  }

  private settle(domid: DomId, devid: number, event: StackEvent, cause: number): void {
    const own = this.interface(domid, devid);
    if (!own) return;
    switch (event.type) {
      case 'bound':
      case 'renewed':
        this.endDhcp(domid, own, cause, '', [event.ip, event.netmask, event.router].map(ipToText).join(' '));
        return;
      case 'lease_lost':
        return; // the client is looking for another
      case 'timeout':
        if (event.of === 'dhcp') this.endDhcp(domid, own, cause, 'ETIMEDOUT', '');
        else this.endPing(domid, own, event, cause, 'ETIMEDOUT', '');
        return;
      case 'unreachable':
        this.endPing(domid, own, event, cause, event.why, ipToText(event.from));
        return;
      case 'echo_reply': {
        const { from, ident, seq, ttl, rtt_ns, bytes } = event;
        const result = `${bytes} ${ipToText(from)} ${seq} ${ttl} ${rtt_ns}`;
        this.endPing(domid, own, { dst: from, ident, seq }, cause, '', result);
        return;
      }
      default:
        event satisfies never;
    }
  }

  private endDhcp(domid: DomId, { devid, dhcp }: GuestInterface, cause: number, errno: string, result: string): void {
    if (dhcp.length === 0) return;
    this.privates.setInterface(domid, devid, { dhcp: [] });
    for (const work of dhcp) this.finish(domid, work, cause, errno, result);
  }

  private endPing(
    domid: DomId,
    { devid, pings }: GuestInterface,
    { dst, ident, seq }: PingRequest,
    cause: number,
    errno: string,
    result: string,
  ): void {
    const ended = pings.find((one) => one.dst === dst && one.ident === ident && one.seq === seq);
    if (!ended) return;
    this.privates.setInterface(domid, devid, { pings: pings.filter((one) => one !== ended) });
    this.finish(domid, ended.work, cause, errno, result);
  }

  private finish(domid: DomId, work: number, cause: number, errno: string, result: string): void {
    this.system.hypercall({ type: 'guest.finish_work', domid, work, errno, result }, `d${domid}v0`, cause);
  }

  /** Sends a frame, behind those that wait already. */
  private send(domid: DomId, devid: number, frame: Uint8Array, cause: number): void {
    const waiting = this.interface(domid, devid)?.waiting ?? [];
    if (waiting.length === 0 && this.transmit(domid, devid, frame, cause)) return;
    if (waiting.length < MAX_WAITING)
      this.privates.setInterface(domid, devid, { waiting: [...waiting, { frame: byteString(frame), cause }] });
  }

  /** Puts a frame on the tx ring. False where there is no slot or no page for it now. A frame of an interface that is gone is lost. */
  private transmit(domid: DomId, devid: number, frame: Uint8Array, cause: number): boolean {
    const { system } = this;
    const { vifs } = system.host;
    const origin = `d${domid}v0`;
    const id = vifs.freeTxId(domid, devid);
    if (id < 0) return vifs.frontRow(domid, devid) < 0;
    const gref = this.txPage(domid, devid, id, origin, cause);
    const row = vifs.frontRow(domid, devid);
    if (gref < 0 || row < 0) return row < 0;
    system.memory.write(this.frameOf(domid, gref), 0, frame);
    const ring = this.ring(domid, row, 'tx_gfn');
    const request = { gref, offset: 0, flags: 0, id, size: frame.length };
    const front = putRequest(system.memory, ring, netifTx, vifs.frontTx(domid, row), request);
    if (!front) return false;
    const notify = pushRequests(system.memory, ring, front);
    const port = vifs.front.of(domid)!.tx_port.at(row);
    system.spend(FRAME_NS);
    system.hypercall({ type: 'vif.note_sent', domid, devid, id, size: frame.length }, origin, cause);
    if (notify) system.hypercall({ type: 'evtchn.send', domid, port }, origin, system.lastSeq);
    return true;
  }

  /** The page of a tx id: granted when first needed, and then kept. Ids are taken lowest first, so that the list has no gaps. */
  private txPage(domid: DomId, devid: number, id: number, origin: string, cause: number): Gref {
    const { system, privates } = this;
    const { tx } = this.interface(domid, devid) ?? { tx: [] };
    const known = tx[id];
    if (known !== undefined) return known;
    const { vifs } = system.host;
    const backend = vifs.front.of(domid)!.backend.at(vifs.frontRow(domid, devid));
    const ref = this.grant(domid, backend, true, origin, cause);
    if (ref >= 0) privates.setInterface(domid, devid, { tx: [...tx, ref] });
    return ref;
  }

  /**
   * Takes a packet off the rx ring, in as many slots as it has. The slot says which buffer it is in, not the id that the backend wrote;
   * so one that makes up ids harms nobody but itself.
   */
  private takeReceived(domid: DomId, devid: number, row: number): Received | undefined {
    const { memory, host } = this.system;
    const ring = this.ring(domid, row, 'rx_gfn');
    const buffers = this.interface(domid, devid)?.rx ?? [];
    const count = usable(buffers);
    const start = host.vifs.frontRx(domid, row);
    let front: FrontRing = start;
    let whole = true;
    let more = true;
    const parts: Uint8Array[] = [];
    while (more) {
      const taken = getResponse(memory, ring, netifRx, front);
      if (!taken) {
        whole = false;
        break;
      }
      const { offset, flags, status } = taken.response;
      const ref = count > 0 ? buffers[front.rsp_cons & (count - 1)] : undefined;
      if (ref === undefined || status < 0 || offset + status > PAGE_SIZE) whole = false;
      else parts.push(memory.read(this.frameOf(domid, ref), offset, status).slice());
      front = taken.front;
      for (let extra = (flags & NETRXF.extra_info) !== 0; extra; ) {
        const info = getResponse(memory, ring, netifRxExtra, front);
        front = info?.front ?? front;
        extra = info !== undefined && (info.response.flags & XEN_NETIF_EXTRA_FLAG_MORE) !== 0;
      }
      more = (flags & NETRXF.more_data) !== 0;
    }
    const slots = (front.rsp_cons - start.rsp_cons) >>> 0;
    if (slots === 0) return undefined;
    return { id: start.rsp_cons & (netifRx.nr_ents - 1), slots, frame: whole ? joined(parts) : undefined };
  }

  private hear(domid: DomId, devid: number, { id, slots, frame }: Received, origin: string, cause: number): void {
    const { system } = this;
    const { vifs } = system.host;
    const by = vifs.rx.of(domid)!.filled_by.at(vifs.packetRow(domid, devid, id));
    system.spend(FRAME_NS);
    system.hypercall(
      { type: 'vif.note_received', domid, devid, id, slots, size: frame?.length ?? 0 },
      origin,
      by > 0 ? by : cause,
    );
    const received = system.lastSeq;
    const own = this.interface(domid, devid);
    if (own && frame) this.apply(domid, devid, input(own.stack, frame, system.now), received);
  }

  /** Puts the buffers that are not on the rx ring there. */
  private post(domid: DomId, devid: number, origin: string, cause: number): void {
    const { system } = this;
    const { vifs } = system.host;
    const row = vifs.frontRow(domid, devid);
    const buffers = this.interface(domid, devid)?.rx ?? [];
    if (row < 0) return;
    const ring = this.ring(domid, row, 'rx_gfn');
    const before = vifs.frontRx(domid, row);
    const count = usable(buffers) - ((before.req_prod_pvt - before.rsp_cons) >>> 0);
    let front = before;
    for (let i = 0; i < count; i++) {
      const index = front.req_prod_pvt;
      const request = { id: index & (netifRx.nr_ents - 1), gref: buffers[index & (usable(buffers) - 1)]! };
      front = putRequest(system.memory, ring, netifRx, front, request) ?? front;
    }
    const posted = (front.req_prod_pvt - before.req_prod_pvt) >>> 0;
    if (posted === 0) return;
    const notify = pushRequests(system.memory, ring, front);
    const port = vifs.front.of(domid)!.rx_port.at(row);
    system.hypercall({ type: 'vif.note_posted', domid, devid, count: posted }, origin, cause);
    if (notify) system.hypercall({ type: 'evtchn.send', domid, port }, origin, system.lastSeq);
  }

  /** The device has gone: its pages are the guest's own again, and whoever waits for it waits no longer. */
  private release(domid: DomId, devid: number, origin: string): void {
    const { system, privates } = this;
    const cause = system.lastSeq;
    const own = this.interface(domid, devid)!;
    privates.setInterfaces(
      domid,
      this.interfaces(domid).filter((one) => one !== own),
    );
    for (const ref of [...own.rx, ...own.tx]) system.hypercall({ type: 'guest.end_access', domid, ref }, origin, cause);
    for (const work of [...own.dhcp, ...own.pings.map((one) => one.work)]) this.finish(domid, work, cause, 'ENODEV', '');
  }

  private grant(domid: DomId, remote_dom: DomId, readonly: boolean, origin: string, cause: number): Gref {
    const outcome = this.system.hypercall({ type: 'guest.grant_page', domid, remote_dom, readonly }, origin, cause);
    return outcome.ok ? (outcome.value as { ref: Gref }).ref : -1;
  }

  private interfaces(domid: DomId): readonly GuestInterface[] {
    return this.privates.get(domid).net?.interfaces ?? [];
  }
  private interface(domid: DomId, devid: number): GuestInterface | undefined {
    return this.interfaces(domid).find((one) => one.devid === devid);
  }
  private chosen(domid: DomId, devid: string | undefined): GuestInterface | undefined {
    return devid === undefined ? this.interfaces(domid)[0] : this.interface(domid, Number(devid));
  }
  private ring(domid: DomId, row: number, gfn: 'tx_gfn' | 'rx_gfn'): Mfn {
    const { vifs, xen } = this.system.host;
    return xen.p2m.mfn(domid, vifs.front.of(domid)![gfn].at(row));
  }
  private frameOf(domid: DomId, ref: Gref): Mfn {
    return this.system.host.xen.p2m.mfn(domid, pageOf(ref));
  }
}

/** How many of the pages that could be had are used as buffers: a power of two. */
const usable = (buffers: readonly Gref[]): number => (buffers.length === 0 ? 0 : 1 << (31 - Math.clz32(buffers.length)));

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
