// The state in which a recorded sequence begins, made by ordinary hypercalls: dom0 with its ports, and two fresh PV domains.

import type { DomId } from '../../events/units.ts';
import { pvDomain } from '../../src/abi/domctl.ts';
import { MASKED } from '../../src/core/evtchn/fifo.ts';
import { isGlobalVirq } from '../../src/core/evtchn/state.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { CoreHost } from '../fuzz/core-host.ts';
import type { DomainRecord, HeaderRecord, PortRecord } from './hypercall-record.ts';

/** The machine of the recording: 4 GiB and two processors. */
const machine = {
  nrCpus: 2,
  totalPages: 0x100000,
  commandline: 'console=com1 com1=115200,8n1 dom0_mem=1024M,max:1024M loglvl=all guest_loglvl=all noreboot',
  invariants: {},
};
const PORTS_PER_PAGE = 1024;
const DOM0_PAGES = 0x40000;
/** xen/include/public/xen.h: what Xen builds, it builds for itself. */
const DOMID_XEN = 0x7ff2;
const HANDLE = '00000000-0000-0000-0000-000000000000';
/** EVTCHNSTAT_* of public/event_channel.h. */
const unbound = 1;
const interdomain = 2;
const pirq = 3;
const virq = 4;
const ipi = 5;

/** `unmasked` are the ports that the program has unmasked in an earlier sequence: nobody masks them again. */
export function startOf(
  { caller, A, B, dom0_ports, A_ports, B_ports }: HeaderRecord,
  unmasked: ReadonlySet<number> = new Set(),
): CoreHost {
  const host = new CoreHost(machine);
  const dom0 = { max_vcpus: caller.vcpus, max_evtchn_port: -1, max_grant_frames: -1, gnttab_frames: 1, tot_pages: DOM0_PAGES };
  build(host, DOMID_XEN, { domid: 0, ...dom0, max_pages: DOM0_PAGES }, 2);
  for (let vcpu = 0; vcpu < caller.vcpus; vcpu++) host.submit({ type: 'vcpu.initialise', domid: 0, vcpu });
  for (let vcpu = 0; vcpu < caller.vcpus; vcpu++) host.submit({ type: 'vcpu.up', domid: 0, vcpu });
  host.submit({ type: 'domctl.unpausedomain', domid: DOMID_XEN, domain: 0 });
  for (let vcpu = 0; vcpu < caller.vcpus; vcpu++) host.submit({ type: 'sched.detach', domid: 0, vcpu });
  host.now = 1_000_000_000;
  openPorts(host, 0, dom0_ports);
  for (const [domain, ports] of [
    [A, A_ports],
    [B, B_ports],
  ] as const) {
    build(host, 0, domain);
    openPorts(host, domain.domid, ports);
  }
  // dom0's kernel uses the FIFO ABI, and masks whatever port it has no handler for.
  const frame = (gfn: number): number => host.xen.p2m.mfn(0, gfn);
  for (let word = 0; word < PORTS_PER_PAGE; word++) host.memory.put32(frame(0), word * 4, unmasked.has(word) ? 0 : MASKED);
  for (let vcpu = 0; vcpu < caller.vcpus; vcpu++)
    host.prepare({ type: 'evtchn.init_control', domid: 0, control_gfn: frame(1 + vcpu), offset: 0, vcpu });
  host.prepare({ type: 'evtchn.expand_array', domid: 0, array_gfn: frame(0) });
  return host;
}

function build(host: CoreHost, domid: DomId, record: DomainRecord, grant_opts = 1): void {
  const domain = record.domid;
  host.prepare(
    {
      type: 'domctl.createdomain',
      domid,
      domain,
      ssidref: 0,
      handle: HANDLE,
      max_vcpus: record.max_vcpus,
      max_evtchn_port: record.max_evtchn_port,
      max_grant_frames: record.max_grant_frames,
      max_maptrack_frames: domain === 0 ? -1 : 0,
      ...pvDomain,
      grant_opts,
    },
    { type: 'domctl.max_vcpus', domid, domain, max: record.max_vcpus },
    { type: 'domctl.max_mem', domid, domain, max_memkb: record.max_pages * 4 },
    { type: 'memory.populate_physmap', domid, dom: domain, gfn: 0, nr_pages: record.tot_pages },
    { type: 'gnttab.setup_table', domid: 0, dom: domain, nr_frames: record.gnttab_frames },
  );
}

/** Opens these ports and no others: those between them are taken on the way, and given back. */
function openPorts(host: CoreHost, domid: DomId, ports: readonly PortRecord[]): void {
  const wanted = new Map(ports.map((port) => [port.port, port]));
  const last = ports.reduce((most, { port }) => Math.max(most, port), 0);
  const spare: number[] = [];
  for (let port = 1; port <= last; port++) {
    const record = wanted.get(port);
    if (record === undefined) spare.push(port);
    for (const command of open(domid, record, port)) host.submit(command);
  }
  for (const port of spare) host.submit({ type: 'evtchn.close', domid, port });
  for (const { port, vcpu, status } of ports)
    if (vcpu !== 0 && status !== ipi) host.submit({ type: 'evtchn.bind_vcpu', domid, port, vcpu });
}

function open(domid: DomId, record: PortRecord | undefined, port: number): CoreCommand[] {
  const { status = unbound, vcpu = 0, u_dom = 0, u_port = 0, u_virq = 0, u_pirq = 0 } = record ?? {};
  switch (status) {
    case interdomain:
      // The first of two ends of one domain waits for the other.
      return u_port < port
        ? [{ type: 'evtchn.bind_interdomain', domid, remote_dom: u_dom, remote_port: u_port }]
        : [{ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: u_dom }];
    case pirq:
      return [
        { type: 'physdev.map_pirq', domid: 0, dom: domid, pirq: u_pirq },
        { type: 'evtchn.bind_pirq', domid, pirq: u_pirq, flags: 0 },
      ];
    case virq:
      return [{ type: 'evtchn.bind_virq', domid, virq: u_virq, vcpu: isGlobalVirq(u_virq) ? 0 : vcpu }];
    case ipi:
      return [{ type: 'evtchn.bind_ipi', domid, vcpu }];
    default:
      return [{ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: u_dom }];
  }
}
