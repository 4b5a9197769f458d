// What the longer debug keys print: of domains ("q"), event channels ("e") and grant tables ("g").
import type { GuestReader } from '../../../events/step.ts';
import type { DomId } from '../../../events/units.ts';
import { infoFrame, infoOffset, isMasked, isPending, UPCALL_MASK, UPCALL_PENDING } from '../evtchn/pending.ts';
import type { Xen } from '../xen.ts';

/** A key may be pressed on a host of any size: of each domain no more ports or entries than these are looked at. */
const MAX_ROWS = 512;

export function* dumpDomains(xen: Xen, guest: GuestReader): Generator<string> {
  const row = xen.domain.of(0)!;
  for (const domid of xen.domids()) {
    yield `General information for domain ${domid}:`;
    const dying = row.state.is(domid) === 'alive' ? 0 : row.state.is(domid) === 'dying' ? 1 : 2;
    yield `    dying=${dying} pause_count=${row.controller_pause_count.at(domid)}`;
    yield `    nr_pages=${row.tot_pages.at(domid)} max_pages=${row.max_pages.at(domid)}`;
    for (const line of xen.control.describe(domid)) yield `    ${line}`;
    yield `vCPUs of domain ${domid}:`;
    const vcpus = xen.sched.vcpu.of(domid)!;
    for (let vcpu = 0; vcpu < row.nr_vcpus.at(domid); vcpu++) {
      const running = vcpus.runstate.is(vcpu) === 'running' ? 'T' : 'F';
      const pending = pendingFlags(xen, domid, vcpu, guest);
      yield `    VCPU${vcpu}: CPU${vcpus.cpu.at(vcpu)} [has=${running}] ${pending} up=${vcpus.up.at(vcpu)} blocked=${vcpus.blocked.at(vcpu)}`;
    }
  }
}

function pendingFlags(xen: Xen, domid: DomId, vcpu: number, guest: GuestReader): string {
  const frame = infoFrame(xen, domid, vcpu);
  if (frame < 0) return 'upcall_pend=-- upcall_mask=--';
  const at = infoOffset(xen, domid, vcpu);
  const hex = (offset: number): string =>
    guest
      .get8(frame, at + offset)
      .toString(16)
      .padStart(2, '0');
  return `upcall_pend=${hex(UPCALL_PENDING)} upcall_mask=${hex(UPCALL_MASK)}`;
}

const states = { free: 0, unbound: 2, interdomain: 3, pirq: 4, virq: 5, ipi: 6 } as const;

export function* dumpEvtchn(xen: Xen, guest: GuestReader): Generator<string> {
  for (const domid of xen.domids()) {
    yield `Event channels of domain ${domid}:`;
    yield '    port [p/m]';
    const isTwoLevel = !xen.evtchn.isFifo(domid);
    const page = xen.sharedInfo(domid);
    let shown = 0;
    for (const [port, { state, notify_vcpu, remote_dom, remote_port, virq }] of xen.evtchn.ports.inUse(domid)) {
      if (++shown > MAX_ROWS) break;
      const flags =
        isTwoLevel && page !== 0 ? `${isPending(guest, page, port) ? 1 : 0}/${isMasked(xen, domid, guest, port) ? 1 : 0}` : '-/-';
      const peer = {
        free: '',
        unbound: ` d=${remote_dom}`,
        interdomain: ` d=${remote_dom} p=${remote_port}`,
        pirq: ` p=${virq}`,
        virq: ` v=${virq}`,
        ipi: '',
      }[state];
      yield `    ${String(port).padStart(4)} [${flags}]: s=${states[state]} n=${notify_vcpu}${peer}`;
    }
  }
}

export function* dumpGrants(xen: Xen): Generator<string> {
  const row = xen.domain.of(0)!;
  for (const domid of xen.domids()) {
    yield `grant table of d${domid}: ${row.nr_grant_frames.at(domid)} frames (${row.max_grant_frames.at(domid)} max)`;
    const active = xen.gnttab.active.of(domid)!;
    let shown = 0;
    for (let ref = 0; ref < active.length && shown < MAX_ROWS; ref++) {
      const reading = active.readers.at(ref) + active.devr.at(ref);
      const writing = active.writers.at(ref) + active.devw.at(ref);
      if (reading + writing === 0) continue;
      shown++;
      const { domid: to, mfn } = xen.gnttab.active.row(domid, ref);
      const pins = `readers ${reading} writers ${writing}`;
      yield `[0x${ref.toString(16).padStart(3, '0')}] d${to} mfn 0x${mfn.toString(16)} ${pins}`;
    }
    if (shown === 0) yield 'nobody has mapped anything';
  }
}
