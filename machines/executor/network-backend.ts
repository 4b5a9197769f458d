// xen-netback's data path: packets off the tx ring, over the bridge, onto the rx rings of others and into dom0's own stack.
import { DOMID_SELF, type DomId, type Gfn, type Mfn, PAGE_SIZE } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import type { Frames } from '../../src/memory/memory.ts';
import { respond } from '../../src/net/responder.ts';
import { DOM0_PORT, vifName } from '../../src/xenbus/net/state.ts';
import {
  NETIF_RSP,
  NETTXF,
  netifRx,
  netifTx,
  netifTxExtra,
  XEN_NETIF_EXTRA_FLAG_MORE,
  XEN_NETIF_EXTRA_TYPE,
} from '../../src/xenbus/ring/netif.ts';
import { type BackRing, finalCheckForRequests, getRequest, pushResponses, putResponse } from '../../src/xenbus/ring/ring.ts';
import type { System } from './system.ts';

/**
 * The page of the backend's domain that packets are copied to and from, one at a time. It lies below the pages that an actor guest grants
 * (src/guest/state.ts) and above those that the domain builder uses, so that a dom0 of any size has it.
 */
const STAGING_GFN: Gfn = 8;
/** An Ethernet header (ETH_HLEN), and the longest frame that a bridge of MTU 1500 lets pass: with a header and a VLAN tag. */
const MIN_FRAME = 14;
const MAX_FRAME = 1518;
/** XEN_NETIF_NR_SLOTS_MIN: a packet may have so many slots; Linux's netback takes no more either. */
const MAX_SLOTS = 18;

/** A packet as its frontend described it, with the slots that have to be answered. */
interface Packet {
  readonly back: BackRing;
  readonly slots: readonly { readonly id: number; readonly extra: boolean }[];
  readonly size: number;
  /** Where its bytes are; undefined where the description is nonsense. */
  readonly parts: readonly Part[] | undefined;
  /** It is no packet but asks for a multicast group, or gives one up. */
  readonly control: boolean;
}
interface Part {
  readonly gref: number;
  readonly offset: number;
  readonly size: number;
}

export class NetworkBackend {
  private readonly system: System;
  constructor(system: System) {
    this.system = system;
  }

  /**
   * Takes the packets on a device's tx ring, as many as a ring holds: a frontend that plays by the rules can not have more there, and one
   * that lets us write into its own ring has to ring again.
   */
  serve(domid: DomId, frontend: DomId, devid: number, cause: number): void {
    const { system } = this;
    const { vifs } = system.host;
    const row = vifs.backRow(domid, frontend, devid);
    const rows = vifs.back.of(domid);
    if (row < 0 || !rows) return;
    const ring = rows.tx_mfn.at(row);
    let answered: number | undefined;
    for (let left = netifTx.nr_ents; left > 0; ) {
      const packet = takePacket(system.memory, ring, vifs.backTx(domid, row));
      if (!packet) break;
      left -= packet.slots.length;
      const { notify, taken } = this.take(domid, frontend, devid, ring, packet, cause);
      if (notify) answered = taken;
    }
    finalCheckForRequests(system.memory, ring, vifs.backTx(domid, row), netifTx);
    const port = rows.tx_port.at(row);
    if (answered !== undefined) this.ask(domid, { type: 'evtchn.send', domid, port }, answered);
  }

  /** Copies a packet, answers it, and sends it on its way. `taken` is the step that says so. */
  private take(
    domid: DomId,
    frontend: DomId,
    devid: number,
    ring: Mfn,
    packet: Packet,
    cause: number,
  ): { notify: boolean; taken: number } {
    const { system } = this;
    const { vifs } = system.host;
    const { id } = packet.slots[0]!;
    const at = vifs.packetRow(frontend, devid, id);
    const sent = at < 0 ? 0 : vifs.tx.of(frontend)!.sent_by.at(at);
    const since = sent > 0 ? sent : cause;
    // A frame, or the status to answer with where there is none.
    let copied: Uint8Array | number = packet.control ? NETIF_RSP.OKAY : NETIF_RSP.ERROR;
    if (packet.parts && !packet.control) copied = this.copyIn(domid, frontend, packet.parts, packet.size, since);
    const status = typeof copied === 'number' ? copied : NETIF_RSP.OKAY;
    let { back } = packet;
    for (const slot of packet.slots)
      back =
        putResponse(system.memory, ring, netifTx, back, { id: slot.id, status: slot.extra ? NETIF_RSP.NULL : status }) ?? back;
    const notify = pushResponses(system.memory, ring, back);
    const { size } = packet;
    const slots = packet.slots.length;
    const taken = this.ask(domid, { type: 'vif.note_taken', domid, frontend, devid, id, slots, size, status }, since);
    if (typeof copied !== 'number') this.forward(domid, vifName(frontend, devid), copied, taken);
    return { notify, taken };
  }

  /** A frame as the bridge gets it, or the status to answer with where there is none to get. */
  private copyIn(domid: DomId, frontend: DomId, parts: readonly Part[], size: number, cause: number): Uint8Array | number {
    if (size > MAX_FRAME) return NETIF_RSP.DROPPED;
    const { system } = this;
    let dest_offset = 0;
    for (const { gref, offset, size: len } of parts) {
      const outcome = system.hypercall(
        {
          type: 'gnttab.copy',
          domid,
          source_dom: frontend,
          source_ref: gref,
          source_is_ref: true,
          source_offset: offset,
          dest_dom: DOMID_SELF,
          dest_ref: this.stagingNumber(domid),
          dest_is_ref: false,
          dest_offset,
          len,
        },
        `d${domid}.netback`,
        cause,
      );
      if (!outcome.ok) return NETIF_RSP.ERROR;
      dest_offset += len;
    }
    return system.memory.read(this.staging(domid), 0, size).slice();
  }

  /** A frame enters the bridge by a port; nobody hears of one whose port is on no bridge. */
  private forward(domid: DomId, port: string, frame: Uint8Array, cause: number): void {
    const { system } = this;
    const bridge = system.host.vifs.bridgeOf(port)?.name;
    if (bridge !== undefined) this.forwardOn(domid, bridge, port, frame, cause);
  }

  private forwardOn(domid: DomId, bridge: string, port: string, frame: Uint8Array, cause: number): void {
    const { system } = this;
    const outcome = system.hypercall({ type: 'bridge.forward', bridge, port, frame }, `d${domid}.netback`, cause);
    if (!outcome.ok) return;
    const forwarded = system.lastSeq;
    for (const out of (outcome.value as { to: readonly string[] }).to)
      if (out === DOM0_PORT) this.respond(domid, bridge, frame, forwarded);
      else this.deliver(domid, out, frame, forwarded);
  }

  /** dom0's own stack takes a frame; its replies enter the bridge by dom0's port, and never come back by it. */
  private respond(domid: DomId, bridge: string, frame: Uint8Array, cause: number): void {
    const { system } = this;
    const { vifs } = system.host;
    const { responder, config } = vifs.bridges.get(vifs.bridgeNumber(bridge))!;
    const { replies } = respond(responder, config, frame, system.now);
    const responded = this.ask(domid, { type: 'bridge.respond', bridge, frame }, cause);
    for (const reply of replies) this.forwardOn(domid, bridge, DOM0_PORT, reply, responded);
  }

  /** A frame leaves the bridge by a guest's port: into the next buffer of its rx ring. It is dropped where there is none. */
  private deliver(domid: DomId, out: string, frame: Uint8Array, cause: number): void {
    const { system } = this;
    const { vifs } = system.host;
    const [frontend = -1, devid = -1] = /^vif(\d+)\.(\d+)$/.exec(out)?.slice(1).map(Number) ?? [];
    const row = vifs.backRow(domid, frontend, devid);
    const rows = vifs.back.of(domid);
    if (row < 0 || !rows) return; // not connected: an interface without a carrier
    const ring = rows.rx_mfn.at(row);
    const size = frame.length;
    const taken = getRequest(system.memory, ring, netifRx, vifs.backRx(domid, row));
    if (!taken) {
      this.ask(domid, { type: 'vif.note_dropped', domid, frontend, devid, size }, cause);
      return;
    }
    const { id, gref } = taken.request;
    const offset = rows.xdp_headroom.at(row);
    const copied = this.copyOut(domid, frontend, gref, offset, frame, cause);
    const status = copied === undefined ? NETIF_RSP.ERROR : size;
    const back = putResponse(system.memory, ring, netifRx, taken.back, { id, offset, flags: 0, status });
    const notify = back !== undefined && pushResponses(system.memory, ring, back);
    const filled = this.ask(domid, { type: 'vif.note_filled', domid, frontend, devid, id, size, status }, copied ?? cause);
    const port = rows.rx_port.at(row);
    if (notify) this.ask(domid, { type: 'evtchn.send', domid, port }, filled);
  }

  /** Copies a frame into a buffer that the frontend has granted; answers the step that did, or undefined where that was refused. */
  private copyOut(
    domid: DomId,
    frontend: DomId,
    gref: number,
    dest_offset: number,
    frame: Uint8Array,
    cause: number,
  ): number | undefined {
    const { system } = this;
    const staging = this.staging(domid);
    if (staging < 0) return undefined;
    system.memory.write(staging, 0, frame);
    const outcome = system.hypercall(
      {
        type: 'gnttab.copy',
        domid,
        source_dom: DOMID_SELF,
        source_ref: this.stagingNumber(domid),
        source_is_ref: false,
        source_offset: 0,
        dest_dom: frontend,
        dest_ref: gref,
        dest_is_ref: true,
        dest_offset,
        len: frame.length,
      },
      `d${domid}.netback`,
      cause,
    );
    return outcome.ok ? system.lastSeq : undefined;
  }

  /** Takes a step and answers its number. */
  private ask(domid: DomId, command: Command, cause: number): number {
    this.system.hypercall(command, `d${domid}.netback`, cause);
    return this.system.lastSeq;
  }
  /** The staging page as a domain names its own to Xen. */
  private stagingNumber(domid: DomId): number {
    return this.system.host.xen.grantFrameNumber(domid, STAGING_GFN);
  }
  private staging(domid: DomId): Mfn {
    return this.system.host.xen.p2m.mfn(domid, STAGING_GFN);
  }
}

/**
 * Takes the slots of the next packet off a tx ring; undefined where there is none. Whatever stands there, it takes at least one slot and
 * no more than the ring shows. Where Linux would disable the interface of a frontend that breaks the protocol
 * (xenvif_fatal_tx_err()), the packet is refused: nobody else is harmed by it.
 */
export function takePacket(frames: Frames, ring: Mfn, start: BackRing): Packet | undefined {
  const first = getRequest(frames, ring, netifTx, start);
  if (!first) return undefined;
  const { size, flags, id } = first.request;
  const slots = [{ id, extra: false }];
  const rest: Part[] = [];
  let { back } = first;
  let whole = true;
  let control = false;
  for (let extra = (flags & NETTXF.extra_info) !== 0; extra; ) {
    const info = getRequest(frames, ring, netifTxExtra, back);
    if (!info) {
      whole = false;
      break;
    }
    back = info.back;
    slots.push({ id, extra: true });
    const { type } = info.request;
    if (type === XEN_NETIF_EXTRA_TYPE.MCAST_ADD || type === XEN_NETIF_EXTRA_TYPE.MCAST_DEL) control = true;
    extra = (info.request.flags & XEN_NETIF_EXTRA_FLAG_MORE) !== 0;
  }
  for (let more = (flags & NETTXF.more_data) !== 0; more; ) {
    const next = getRequest(frames, ring, netifTx, back);
    if (!next) {
      whole = false;
      break;
    }
    back = next.back;
    slots.push({ id: next.request.id, extra: false });
    rest.push(next.request);
    more = (next.request.flags & NETTXF.more_data) !== 0;
  }
  // The first slot says how long the packet is, and so holds what the others do not.
  const head: Part = { ...first.request, size: size - rest.reduce((sum, part) => sum + part.size, 0) };
  const parts = [head, ...rest];
  const sane =
    whole &&
    size >= MIN_FRAME &&
    parts.length <= MAX_SLOTS &&
    parts.every((part) => part.size > 0 && part.offset + part.size <= PAGE_SIZE);
  return { back, slots, size, parts: sane ? parts : undefined, control: control && whole };
}
