// The toolstack's hold on domains, their device models, the machine's devices, and Xen's console.
import * as fc from 'fast-check';
import { XEN_DOMCTL_CDF } from '../../../src/abi/domctl.ts';
import { MAX_NR_IOREQ_SERVERS } from '../../../src/core/hvm/state.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

const numbers = fc.record({ domain: fc.nat(), other: fc.nat(), n: fc.nat(40), on: fc.boolean() });
type Numbers = { readonly domain: number; readonly other: number; readonly n: number; readonly on: boolean };

const one = (run: (host: CoreHost, numbers: Numbers & { readonly dom: number }) => CoreCommand): Acts =>
  act(numbers, (host, drawn) => [run(host, { ...drawn, dom: someDomain(host, drawn.domain) })]);
const hvmDomain = (host: CoreHost, index: number): number =>
  pick(
    [...host.xen.domids()].filter((domid) => host.xen.domain.of(0)!.hvm.at(domid) === 1),
    index,
  ) ?? 2;

export const controlActs: readonly Acts[] = [
  one((_, { dom, on }) => ({ type: 'domctl.setdebugging', domid: 0, domain: dom, enable: on })),
  one((host, { domain, n }) => ({ type: 'vcpu.debugger_trap', domid: aLiveDomain(host, domain), vcpu: n % 2, vector: n % 5 })),
  one((_, { dom }) => ({ type: 'domctl.gdbsx_domstatus', domid: 0, domain: dom })),
  act(numbers, (host, { domain, n, on }) => {
    const dom = someDomain(host, domain);
    const pause: CoreCommand = { type: 'domctl.gdbsx_pausevcpu', domid: 0, domain: dom, vcpu: n % 3 };
    const unpause: CoreCommand = { type: 'domctl.gdbsx_unpausevcpu', domid: 0, domain: dom, vcpu: n % 3 };
    return [{ type: 'domctl.pausedomain', domid: 0, domain: dom }, pause, ...(on ? [unpause] : [])];
  }),
  one((_, { dom, n }) => ({ type: 'domctl.gdbsx_unpausevcpu', domid: 0, domain: dom, vcpu: n % 3 })),
  act(fc.record({ domain: fc.nat(), gfn: fc.nat(8), gwr: fc.boolean() }), (host, { domain, gfn, gwr }) => [
    {
      ...{ type: 'domctl.gdbsx_guestmemio', domid: 0, domain: someDomain(host, domain), gfn, offset: 4090, len: 9, gwr },
      data: Uint8Array.of(1, 2, 3),
    },
  ]),
  one((_, { dom, n, other, on }) => ({
    ...{ type: 'domctl.iomem_permission', domid: 0, domain: dom, first_mfn: 0xf0000 + n },
    ...{ nr_mfns: other % 9, allow_access: on },
  })),
  one((_, { dom, n, other, on }) => ({
    ...{ type: 'domctl.ioport_permission', domid: 0, domain: dom, first_port: 0x3f0 + n },
    ...{ nr_ports: other % 9, allow_access: on },
  })),
  act(numbers, (host, { domain, n, on }) => [
    { type: 'physdev.map_pirq', domid: 0, dom: 0, pirq: n },
    { type: 'domctl.irq_permission', domid: 0, domain: someDomain(host, domain), pirq: n, allow_access: on },
  ]),
  act(numbers, (host, { domain, n, on }) => {
    const dom = hvmDomain(host, domain);
    const range = { first_gfn: 0x100 + n, first_mfn: 0xf0000 + n, nr_mfns: 4 };
    return [
      { type: 'domctl.iomem_permission', domid: 0, domain: dom, first_mfn: 0xf0000, nr_mfns: 64, allow_access: true },
      { type: 'domctl.memory_mapping', domid: 0, domain: dom, ...range, add_mapping: on },
    ];
  }),
  one((host, { domain, n, on }) => ({
    ...{ type: 'domctl.ioport_mapping', domid: 0, domain: hvmDomain(host, domain), first_gport: n },
    ...{ first_mport: 0x3f0 + n, nr_ports: 3, add_mapping: on },
  })),
  one((_, { dom, n }) => ({ type: 'domctl.hypercall_init', domid: 0, domain: dom, gmfn: n % 8 })),
  act(numbers, (host, { domain, n }) => {
    const dom = someDomain(host, domain);
    const gmfn = host.xen.grantFrameNumber(dom, n % 6);
    return [{ type: 'domctl.hypercall_init', domid: 0, domain: dom, gmfn }];
  }),
  one((host, { domain, n }) => ({
    ...{ type: 'domctl.shadow_op', domid: 0, domain: hvmDomain(host, domain), op: pick([0, 2, 11, 12, 30, 31, 32], n)! },
    ...{ mode: (n % 3) * 2, mb: n % 5, pages: 8 },
  })),
  one((host, { domain, n }) => ({
    ...{ type: 'domctl.set_paging_mempool_size', domid: 0, domain: hvmDomain(host, domain), size: n * 64 * 4096 },
  })),
  one((host, { domain, other }) => ({
    ...{ type: 'domctl.set_target', domid: 0, domain: someDomain(host, domain), target: hvmDomain(host, other) },
  })),
  one((_, { dom, n }) => ({ type: 'domctl.set_virq_handler', domid: 0, domain: dom, virq: pick([3, 8, 2, 0, 24], n)! })),
  one((_, { dom }) => ({ type: 'domctl.soft_reset', domid: 0, domain: dom })),
  one((_, { dom, n }) => ({ type: 'domctl.sendtrigger', domid: 0, domain: dom, trigger: n % 6, vcpu: n % 2 })),
  one((_, { dom, n }) => ({
    ...{ type: 'domctl.set_vcpu_msrs', domid: 0, domain: dom, vcpu: 0, indices: [0xc0000103, 0x48].slice(0, 1 + (n % 2)) },
    ...{ values: ['0x7', n % 3 === 0 ? '0x1' : '0x0'] },
  })),
  one((_, { dom, n }) => ({
    ...{ type: 'domctl.set_cpu_policy', domid: 0, domain: dom, leaves: [n % 3, 2 ** 32 - 1, n, 0, 0, 0] },
    ...{ msr_indices: [0xce], msr_values: ['0x80000000'] },
  })),
  one((host, { dom, n }) => {
    const vcpus = host.xen.domain.of(0)!.max_vcpus.at(dom);
    return {
      ...{ type: 'domctl.setvnumainfo', domid: 0, domain: dom, nr_vnodes: 1 + (n % 2), vmemranges: [0, 4096, 0, 0] },
      ...{ vdistance: [10, 20, 20, 10], vcpu_to_vnode: Array(vcpus).fill(n % 3), vnode_to_pnode: [0, 0] },
    };
  }),
  one((host, { domain, n }) => ({
    ...{ type: 'domctl.monitor_op', domid: 0, domain: hvmDomain(host, domain), op: n % 5, event: n % 14, sync: true },
  })),
  act(fc.record({ domain: fc.nat(), vcpu: fc.nat(3), wrong: fc.nat(8) }), (host, { domain, vcpu, wrong }) => [
    { type: 'domctl.sethvmcontext', domid: 0, domain: hvmDomain(host, domain), buffer: hvmContext(vcpu, wrong) },
    { type: 'domctl.gethvmcontext', domid: 0, domain: hvmDomain(host, domain), size: 2 ** 16 },
  ]),
  one((host, { domain, n }) => ({ type: 'vcpu.domain_crash', domid: someDomain(host, domain * 4), vcpu: n % 2, why: 'fuzz' })),
  // Domains of every kind.
  act(
    fc.record({ flags: fc.nat(255), emulation: fc.constantFrom(0, 1, 0x3ff, 0x411, 256), hvm: fc.boolean() }),
    (host, drawn) => {
      let domain = 1;
      while (host.xen.exists(domain)) domain++;
      if (domain > 6) return [];
      const limits = { max_vcpus: 1, max_evtchn_port: -1, max_grant_frames: 4, max_maptrack_frames: 1 };
      const rare = drawn.flags % 4 === 0 ? drawn.flags : drawn.flags & (XEN_DOMCTL_CDF.hap | XEN_DOMCTL_CDF.xs_domain);
      return [
        {
          ...{ type: 'domctl.createdomain', domid: 0, domain, ssidref: 0, handle: '0'.repeat(32), ...limits, hvm: drawn.hvm },
          ...{ flags: rare, iommu_opts: 0, grant_opts: 1 + (drawn.flags % 2), vmtrace_size: 0, cpupool_id: 0 },
          ...{ emulation_flags: drawn.emulation, misc_flags: drawn.flags & 1 },
        },
      ];
    },
  ),
];

/** A header, the state of one vCPU, and the end; or something of it wrong. */
function hvmContext(vcpu: number, wrong: number): Uint8Array {
  const bytes = new Uint8Array(8 + 24 + 8 + 16 + 8);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, 1, true);
  view.setUint32(4, wrong === 1 ? 25 : 24, true);
  view.setUint32(8, wrong === 2 ? 0 : 0x54381286, true);
  view.setUint32(12, 1, true);
  view.setUint16(32, wrong === 3 ? 99 : 2, true);
  view.setUint16(34, vcpu, true);
  view.setUint32(36, wrong === 4 ? 2 ** 31 : 16, true);
  return wrong === 5 ? bytes.slice(0, 56) : bytes;
}

const dm = (run: (at: { readonly domid: number; readonly dom: number }, numbers: Numbers) => CoreCommand): Acts =>
  act(numbers, (host, drawn) => [run({ domid: drawn.other % 5 === 0 ? 1 : 0, dom: hvmDomain(host, drawn.domain) }, drawn)]);
const id = (n: number): number => n % (MAX_NR_IOREQ_SERVERS + 1);

export const dmActs: readonly Acts[] = [
  dm((at, { n }) => ({ type: 'dm.create_ioreq_server', ...at, handle_bufioreq: n % 4 })),
  dm((at, { n }) => ({ type: 'dm.destroy_ioreq_server', ...at, id: id(n) })),
  dm((at, { n, on }) => ({ type: 'dm.set_ioreq_server_state', ...at, id: id(n), enabled: on })),
  act(numbers, (host, { domain, n }) => {
    const dom = hvmDomain(host, domain);
    return [
      { type: 'hvm.set_param', domid: 0, dom, index: 32, value: '0x1' },
      { type: 'hvm.set_param', domid: 0, dom, index: 33, value: '0x4' },
      { type: 'dm.get_ioreq_server_info', domid: 0, dom, id: id(n), flags: n % 2 },
    ];
  }),
  dm((at, { n, on, other }) => ({
    ...{ type: on ? 'dm.map_io_range_to_ioreq_server' : 'dm.unmap_io_range_from_ioreq_server', ...at, id: id(n) },
    ...{ range_type: n % 4, start: n, end: n + (other % 4) },
  })),
  dm((at, { n, on }) => ({ type: 'dm.map_mem_type_to_ioreq_server', ...at, id: id(n), mem_type: 4, flags: on ? 2 : 0 })),
  dm((at, { n, other }) => ({ type: 'dm.set_mem_type', ...at, mem_type: n % 6, first_pfn: other % 6, nr: 1 + (n % 3) })),
  dm((at, { n, on }) => ({ type: 'dm.set_isa_irq_level', ...at, isa_irq: n % 17, level: on ? 1 : 0 })),
  dm((at, { n, on }) => ({
    type: 'dm.set_pci_intx_level',
    ...at,
    segment: 0,
    bus: 0,
    device: n,
    intx: n % 5,
    level: on ? 1 : 0,
  })),
  dm((at, { n }) => ({ type: 'dm.set_pci_link_route', ...at, link: n % 5, isa_irq: n % 17 })),
  dm((at, { n }) => ({ type: 'dm.inject_event', ...at, vcpuid: n % 3, vector: n, event_type: 0, error_code: 0 })),
  dm((at, { n, on }) => ({ type: 'dm.pin_memory_cacheattr', ...at, start: n, end: n + 2, attribute: on ? n % 8 : 2 ** 32 - 1 })),
  dm((at, { n }) => (n % 7 === 0 ? { type: 'dm.remote_shutdown', ...at, reason: n % 6 } : { type: 'dm.nr_vcpus', ...at })),
  act(numbers, (host, { domain, n, other }) => {
    const dom = hvmDomain(host, domain);
    const gfns = [30 + (n % 4), 31 + (n % 4)];
    const acquire: CoreCommand = {
      ...{ type: 'memory.acquire_resource', domid: 0, dom, resource: 0, id: id(n), frame: n % 3, nr_frames: 1 + (other % 2) },
      ...{ size: false, gfns },
    };
    return [{ type: 'dm.create_ioreq_server', domid: 0, dom, handle_bufioreq: n % 3 }, acquire];
  }),
  dm((at, { n, other }) => ({
    ...{ type: 'dm.relocate_memory', ...at, size: n % 3, src_gfn: other % 8 },
    dst_gfn: pick([0, 3, 20, 2 ** 40, -1], n)!,
  })),
  act(
    fc.record({ domain: fc.nat(), index: fc.nat(40), low: fc.nat(9), own: fc.boolean() }),
    (host, { domain, index, low, own }) => {
      const dom = hvmDomain(host, domain);
      const value = `0x${low.toString(16)}`;
      return [
        { type: 'hvm.set_param', domid: own ? dom : 0, dom, index, value },
        { type: 'hvm.get_param', domid: own ? dom : 0, dom, index },
      ];
    },
  ),
  one((host, { domain, n }) => ({
    type: 'hvm.set_evtchn_upcall_vector',
    domid: hvmDomain(host, domain),
    vcpu: n % 3,
    vector: n * 8,
  })),
];

const device = (n: number) => ({ bus: n % 2, devfn: n % 5 });

export const machineActs: readonly Acts[] = [
  one((_, { n, on }) => ({
    ...{ type: 'sysctl.tbuf_op', domid: 0, cmd: n % 6, cpus: on ? [0, 1] : [1] },
    ...{ evt_mask: on ? 0x0ffff000 : 0x0002f000, size: 1 + (n % 2) },
  })),
  one((_, { n, on }) => ({
    ...{ type: 'physdev.pci_device_add', domid: 0, seg: 0, ...device(n), flags: on ? 0 : n % 4 },
    ...{ physfn_bus: 0, physfn_devfn: n % 3 },
  })),
  one((_, { n }) => ({ type: 'physdev.pci_device_remove', domid: 0, seg: 0, ...device(n) })),
  one((_, { n, on }) => ({ type: on ? 'physdev.prepare_msix' : 'physdev.release_msix', domid: 0, seg: 0, ...device(n) })),
  one((_, { dom, n, on }) => ({
    ...{ type: on ? 'domctl.assign_device' : 'domctl.deassign_device', domid: 0, domain: n % 6 === 0 ? 0x7ff1 : dom, dev: 0 },
    ...{ flags: 0, machine_sbdf: ((n % 2) << 8) + (n % 5) },
  })),
  one((host, { domain, n }) => ({ type: 'physdev.get_free_pirq', domid: aLiveDomain(host, domain), pirq_type: n % 3 })),
  one((host, { domain, n }) => {
    const domid = aLiveDomain(host, domain);
    return { type: 'physdev.pirq_eoi_gmfn_v1', domid, gmfn: host.xen.grantFrameNumber(domid, n % 6) };
  }),
  one((host, { domain, n }) => ({ type: 'physdev.eoi', domid: aLiveDomain(host, domain), irq: n })),
  one((_, { n }) => ({ type: 'physdev.setup_gsi', domid: 0, gsi: n, triggering: n % 2, polarity: n % 3 })),
  one((_, { n }) => ({ type: 'physdev.apic_write', domid: 0, apic_physbase: '0xfec00000', reg: 16 + n, value: n * 77 })),
  one((host, { domain, n }) => ({ type: 'physdev.set_iopl', domid: aLiveDomain(host, domain), vcpu: 0, iopl: n % 5 })),
];

const texts = ['hello\n', 'no end', 'x'.repeat(300), 'two\nlines\n', '\x01\x01\x01', 'h', '\x07\xffq\n'];

export const consoleActs: readonly Acts[] = [
  one((host, { domain, n }) => ({ type: 'console_io.write', domid: aLiveDomain(host, domain), text: pick(texts, n)! })),
  one((_, { n }) => ({ type: 'console_io.receive', text: pick(texts, n)! })),
  one((_, { n }) => ({ type: 'console_io.read', domid: 0, count: n })),
  one((_, { n, on }) => ({
    type: 'sysctl.readconsole',
    domid: 0,
    clear: on,
    incremental: n % 2 === 0,
    index: n * 50,
    count: n * 100,
  })),
  one((_, { n }) => ({
    type: 'sysctl.debug_keys',
    domid: 0,
    keys: pick(['h', 'q', 'r', 'e', 'g', 'm', '+', '-', 'G', '*', 'A', 'qq', 'w0d', 'CIMN', 'cnos', 'vxz'], n)!,
  })),
];
