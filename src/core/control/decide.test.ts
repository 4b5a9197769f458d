import { describe, expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { type CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { pvDomain, pvhDomain, XEN_DOMCTL_CDF, XEN_DOMINF, XEN_X86_EMU_ALL } from '../../abi/domctl.ts';
import { VIRQ } from '../../abi/virq.ts';
import { INITIAL_POOL } from '../domain/pool.ts';
import type { CoreCommand } from '../index.ts';
import { hypercallPage } from './write-guest.ts';

// d0 has 2 vCPUs, d1 is PV with one, d2 PVH with three.
const HANDLE = '00112233-4455-6677-8899-aabbccddeeff';
const limits = { max_vcpus: 1, max_evtchn_port: -1, max_grant_frames: 4, max_maptrack_frames: 1 };
const create = (over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.createdomain', domid: 0, domain: 3, ssidref: 0, handle: HANDLE, ...limits, ...pvDomain },
  ...over,
});
const CDF = XEN_DOMCTL_CDF;

test.each<[string, object, unknown]>([
  ['PV', {}, { domain: 3 }],
  ['PV with a timer', { emulation_flags: 256 }, { domain: 3 }],
  ['PV with a local APIC', { emulation_flags: 1 }, 'EOPNOTSUPP'],
  ['PV with HAP', { flags: CDF.hap }, 'EINVAL'],
  ['PVH', pvhDomain, { domain: 3 }],
  ['HVM', { ...pvhDomain, emulation_flags: XEN_X86_EMU_ALL & ~1024 }, { domain: 3 }],
  ['HVM with half a machine', { ...pvhDomain, emulation_flags: 3 }, 'EOPNOTSUPP'],
  ['HVM without HAP: nothing is shadowed', { ...pvhDomain, flags: 0 }, 'EOPNOTSUPP'],
  ['nested', { ...pvhDomain, flags: CDF.hap | CDF.nested_virt }, { domain: 3 }],
  ['nested without HAP', { ...pvhDomain, flags: CDF.nested_virt }, 'EINVAL'],
  ['for a XenStore', { flags: CDF.xs_domain }, { domain: 3 }],
  ['without out-of-sync shadows', { flags: CDF.oos_off }, { domain: 3 }],
  ['with S3 integrity', { flags: CDF.s3_integrity }, 'EINVAL'],
  ['with a vPMU', { flags: CDF.vpmu }, 'EINVAL'],
  ['with an IOMMU that is not there', { flags: CDF.iommu }, 'EINVAL'],
  ['with options of no IOMMU', { iommu_opts: 1 }, 'EINVAL'],
  ['with a flag that is none', { flags: 256 }, 'EINVAL'],
  ['traced', { ...pvhDomain, vmtrace_size: 4096 }, 'EINVAL'],
  ['with grants of version 0', { grant_opts: 0 }, 'EINVAL'],
  ['... of version 3', { grant_opts: 3 }, 'EINVAL'],
  ['... and an option that is none', { grant_opts: 17 }, 'EINVAL'],
  ['with relaxed MSRs', { misc_flags: 1 }, { domain: 3 }],
  ['with more than that', { misc_flags: 2 }, 'EINVAL'],
])('a domain is created %s', (_, over, expected) => {
  expect(bootedHost().answer(create(over))).toEqual(expected);
});

const permit = (over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.ioport_permission', domid: 0, domain: 1, first_port: 0x378, nr_ports: 8, allow_access: true },
  ...over,
});
const map: CoreCommand = { type: 'physdev.map_pirq', domid: 0, dom: 0, pirq: 20 };
const irq = (over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.irq_permission', domid: 0, domain: 1, pirq: 20, allow_access: true },
  ...over,
});
const iomem = (over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.iomem_permission', domid: 0, domain: 2, first_mfn: 0xf0000, nr_mfns: 4, allow_access: true },
  ...over,
});
const mmio = (over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.memory_mapping', domid: 0, domain: 2, first_gfn: 64, first_mfn: 0xf0000, nr_mfns: 4, add_mapping: true },
  ...over,
});
const target: CoreCommand = { type: 'domctl.set_target', domid: 0, domain: 1, target: 2 };
const mempool = (domain: number, pages: number): CoreCommand => ({
  ...{ type: 'domctl.set_paging_mempool_size', domid: 0, domain, size: pages * 4096 },
});
const shadow = (op: number, over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.shadow_op', domid: 0, domain: 2, op, mode: 0, mb: 0, pages: 0 },
  ...over,
});
const noStats = { pages: 0, fault_count: 0, dirty_count: 0 };
const on = (type: string, domain: number, over: object = {}): CoreCommand =>
  ({ type, domid: 0, domain, ...over }) as unknown as CoreCommand;
const eip = { sysenter_cs: 0, sysenter_eip: '0x0', sysenter_disables_events: false };
const ext = (domain: number, over: object = {}): CoreCommand => ({
  ...{ type: 'domctl.set_ext_vcpucontext', domid: 0, domain, vcpu: 0, ...eip },
  ...{ syscall32_cs: 0, syscall32_eip: '0x0', syscall32_disables_events: false, ...over },
});

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['ports are given', [], permit(), {}],
  ['... not more than there are', [], permit({ first_port: 65535, nr_ports: 2 }), 'EINVAL'],
  ['... said before who asks', [], permit({ domid: 1, nr_ports: 0 }), 'EINVAL'],
  ['... not by a guest', [], permit({ domid: 1, domain: 2 }), 'EPERM'],
  ['... not those of Xen', [], permit({ first_port: 0x20, nr_ports: 1 }), 'EPERM'],
  ['... to nobody', [], permit({ domain: 99, nr_ports: 0 }), 'ESRCH'],
  ['interrupts are given', [map], irq(), {}],
  ['... that the caller has', [], irq(), 'EPERM'],
  ['... of those that there are', [], irq({ pirq: 1024 }), 'EINVAL'],
  ['memory is given', [], iomem(), {}],
  ['... not that of the interrupt controllers', [], iomem({ first_mfn: 0xfee00, nr_mfns: 1 }), 'EPERM'],
  ['... not none', [], iomem({ nr_mfns: 0 }), 'EINVAL'],
  ['... and mapped', [iomem()], mmio(), {}],
  ['... by whom it was given to alone', [], mmio(), 'EPERM'],
  ['a PV domain maps it itself', [], mmio({ domain: 1 }), {}],
  ['an HVM domain has a device model', [], target, {}],
  ['... one', [target], target, 'EINVAL'],
  ['... not itself', [], on('domctl.set_target', 2, { target: 2 }), 'EINVAL'],
  ['... not a PV domain', [], on('domctl.set_target', 2, { target: 1 }), 'EOPNOTSUPP'],
  ['... said before who asks', [], { type: 'domctl.set_target', domid: 1, domain: 2, target: 1 }, 'EOPNOTSUPP'],
  ['a device model maps for its domain', [target, iomem(), iomem({ domain: 1 })], mmio({ domid: 1 }), {}],
  ['... others do not', [iomem(), iomem({ domain: 1 })], mmio({ domid: 1 }), 'EPERM'],

  ['a pool grows', [], mempool(2, INITIAL_POOL + 10), {}],
  ['... by whole pages', [], on('domctl.set_paging_mempool_size', 2, { size: 4097 }), 'EINVAL'],
  ['... as far as there is memory', [], mempool(2, 2 ** 24), 'ENOMEM'],
  ['... of HVM domains', [], mempool(1, 1), 'EOPNOTSUPP'],
  ['... in MiB too', [shadow(31, { mb: 3 })], shadow(30), { mb: 3, ...noStats }],
  ['log-dirty mode is switched on', [], shadow(2), { mb: 0, ...noStats }],
  ['... once', [shadow(2)], shadow(2), 'EINVAL'],
  ['... and off', [shadow(2)], shadow(0), { mb: 0, ...noStats }],
  ['... of PV domains never, as recorded', [], shadow(2, { domain: 1 }), 'EOPNOTSUPP'],
  ['... and off: as recorded', [], shadow(0, { domain: 1 }), 'EINVAL'],
  ["... not one's own", [], shadow(2, { domain: 0 }), 'EINVAL'],

  ['a debugger is attached', [], on('domctl.setdebugging', 1, { enable: true }), {}],
  ['... not to oneself', [], on('domctl.setdebugging', 0, { enable: true }), 'EINVAL'],
  ["a trap is the guest's own", [], { type: 'vcpu.debugger_trap', domid: 1, vcpu: 0, vector: 3 }, { paused: false }],
  ['a vCPU is paused while its domain is', [on('domctl.pausedomain', 1)], on('domctl.gdbsx_pausevcpu', 1, { vcpu: 0 }), {}],
  ['... not else', [], on('domctl.gdbsx_pausevcpu', 1, { vcpu: 0 }), 'EBUSY'],
  ['... nor unpaused', [on('domctl.pausedomain', 1)], on('domctl.gdbsx_unpausevcpu', 1, { vcpu: 0 }), 'EINVAL'],
  ['a context is read', [], on('domctl.getvcpucontext', 1, { vcpu: 0 }), { flags: 36, context: expect.any(Uint8Array) }],
  ['... not before there is one', [], on('domctl.getvcpucontext', 2, { vcpu: 1 }), 'ENODATA'],
  ["... not one's own", [], on('domctl.getvcpucontext', 0, { vcpu: 0 }), 'EINVAL'],
  ['NMIs are sent', [], on('domctl.sendtrigger', 1, { trigger: 0, vcpu: 0 }), {}],
  [
    '... which wakes nobody twice',
    [on('domctl.sendtrigger', 1, { trigger: 0, vcpu: 0 })],
    { type: 'vcpu.send_nmi', domid: 1, vcpu: 0 },
    {},
  ],
  ['... to vCPUs that there are, as recorded', [], on('domctl.sendtrigger', 1, { trigger: 0, vcpu: 9 }), 'ESRCH'],
  ['PV domains have no power button, as recorded', [], on('domctl.sendtrigger', 1, { trigger: 3, vcpu: 0 }), 'EINVAL'],
  ['HVM domains do', [], on('domctl.sendtrigger', 2, { trigger: 3, vcpu: 0 }), {}],
  ['nobody is reset, as recorded', [], on('domctl.sendtrigger', 1, { trigger: 1, vcpu: 0 }), 'ENOSYS'],
  ['SYSENTER is set', [], ext(1, { sysenter_cs: 0x10, sysenter_eip: '0xffffffff81000000' }), {}],
  ['... to an address that can be', [], ext(1, { sysenter_eip: '0x800000000000' }), 'EINVAL'],
  ['... not of HVM domains', [], ext(2, { sysenter_eip: '0x1' }), 'EINVAL'],
  ['MSRs are set', [], on('domctl.set_vcpu_msrs', 1, { vcpu: 0, indices: [0xc0000103], values: ['0x5'] }), { msr_count: 1 }],
  ['... those that can be', [], on('domctl.set_vcpu_msrs', 1, { vcpu: 0, indices: [0x10], values: ['0x5'] }), 'EINVAL'],
  [
    'extended state has a size',
    [],
    on('domctl.getvcpuextstate', 1, { vcpu: 0, size: 0 }),
    expect.objectContaining({ size: 2712 }),
  ],
  ['nothing is extended', [], on('domctl.setvcpuextstate', 1, { vcpu: 0, xfeature_mask: '0x7', buffer: new Uint8Array(16) }), {}],
  ['... too little', [], on('domctl.setvcpuextstate', 1, { vcpu: 0, xfeature_mask: '0x7', buffer: new Uint8Array(8) }), 'EINVAL'],
  ['a VIRQ changes hands', [], on('domctl.set_virq_handler', 1, { virq: VIRQ.DOM_EXC }), {}],
  ['... not one of vCPUs', [], on('domctl.set_virq_handler', 1, { virq: VIRQ.TIMER }), 'EINVAL'],
  ['a domain that runs is not reset', [], on('domctl.soft_reset', 1), 'EINVAL'],
  ['... one that has shut down is', [{ type: 'sched.shutdown', domid: 2, reason: 'soft_reset' }], on('domctl.soft_reset', 2), {}],
  ['... unless it is PV', [{ type: 'sched.shutdown', domid: 1, reason: 'soft_reset' }], on('domctl.soft_reset', 1), 'EINVAL'],
  [
    'a policy is fixed when the domain has run',
    [],
    on('domctl.set_cpu_policy', 1, { leaves: [], msr_indices: [], msr_values: [] }),
    'EEXIST',
  ],
  ['vNUMA is for all vCPUs', [], vnuma(2, [0]), 'EINVAL'],
  ['... on nodes that there are', [], vnuma(2, [0, 0, 1]), 'E2BIG'],
  ['... so', [], vnuma(2, [0, 0, 0]), {}],
  ['devices are given where there is an IOMMU', [], assign(), 'EOPNOTSUPP'],
  ['nobody listens', [], on('domctl.vm_event_op', 2, { op: 2, mode: 2 }), 'ENODEV'],
  ['... to nobody', [], on('domctl.vm_event_op', 0x7ff4, { op: 2, mode: 2 }), 'ESRCH'],
  [
    'the version is for everybody',
    [],
    { type: 'domctl.vm_event_op', domid: 1, domain: 0x7ff4, op: 3, mode: 0 },
    { port: 0, version: 7 },
  ],
  ['requests of HVM domains can be reported', [], on('domctl.monitor_op', 2, { op: 0, event: 4, sync: true }), { event: 4 }],
  ['... not of PV domains', [], on('domctl.monitor_op', 1, { op: 0, event: 4, sync: true }), 'EOPNOTSUPP'],
  ['nothing is shared', [], on('domctl.mem_sharing_op', 1, { op: 0, enable: true }), 'ENOSYS'],
  ['a guest asks nothing of all this', [], { type: 'domctl.setdebugging', domid: 1, domain: 2, enable: true }, 'EPERM'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

function vnuma(domain: number, vcpu_to_vnode: number[]): CoreCommand {
  const nodes = { nr_vnodes: 1, vmemranges: [0, 2 ** 20, 0, 0], vdistance: [10], vnode_to_pnode: [0] };
  return on('domctl.setvnumainfo', domain, { ...nodes, vcpu_to_vnode });
}
function assign(over: object = {}): CoreCommand {
  return on('domctl.assign_device', 3, {
    dev: 0,
    flags: 0,
    machine_sbdf: 0x10,
    domain: over && 'domain' in over ? over.domain : 2,
    ...over,
  });
}

describe('what it leads to', () => {
  const flags = (host: CoreHost, domain: number): number =>
    (host.answer({ type: 'domctl.getdomaininfo', domid: 0, domain }) as { flags: number }).flags;

  test('a breakpoint pauses a domain that is debugged, and its debugger is told', () => {
    const host = bootedHost().prepare(on('domctl.setdebugging', 1, { enable: true }));
    expect(host.answer({ type: 'vcpu.debugger_trap', domid: 1, vcpu: 0, vector: 3 })).toEqual({ paused: true });
    expect(flags(host, 1) & (XEN_DOMINF.paused | XEN_DOMINF.debugged)).toBe(XEN_DOMINF.paused | XEN_DOMINF.debugged);
    expect(host.answer(on('domctl.gdbsx_domstatus', 1))).toEqual({ paused: true, vcpu_id: 0, vcpu_ev: 3 });
    expect(host.answer(on('domctl.gdbsx_domstatus', 1))).toEqual({ paused: true, vcpu_id: -1, vcpu_ev: 0 });
  });

  test('a vCPU that is paused alone does not run with its domain', () => {
    const host = bootedHost().prepare(on('domctl.pausedomain', 2), on('domctl.gdbsx_pausevcpu', 2, { vcpu: 0 }));
    host.prepare(on('domctl.unpausedomain', 2));
    expect(host.xen.sched.vcpu.of(2)!.runstate.is(0)).toBe('offline');
    host.prepare(on('domctl.pausedomain', 2), on('domctl.gdbsx_unpausevcpu', 2, { vcpu: 0 }), on('domctl.unpausedomain', 2));
    expect(host.xen.sched.vcpu.of(2)!.runstate.is(0)).toBe('runnable');
  });

  test('a crash shuts a domain down, says so, and tells dom0', () => {
    const host = bootedHost().prepare({ type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.DOM_EXC, vcpu: 0 });
    const types = host.types({ type: 'vcpu.domain_crash', domid: 1, vcpu: 0, why: 'test' });
    expect(types).toEqual(
      expect.arrayContaining(['domain.crashed', 'domain.shut_down', 'evtchn.pending_raised', 'conring.printed']),
    );
    expect((flags(host, 1) >>> XEN_DOMINF.shutdownshift) & 255).toBe(3);
    expect(host.types({ type: 'vcpu.domain_crash', domid: 1, vcpu: 0, why: 'again' })).toEqual([]);
  });

  test('who handles a VIRQ hears of it, until it dies', () => {
    const host = bootedHost().prepare(
      { type: 'evtchn.bind_virq', domid: 1, virq: VIRQ.DOM_EXC, vcpu: 0 },
      on('domctl.set_virq_handler', 1, { virq: VIRQ.DOM_EXC }),
    );
    const down: CoreCommand = { type: 'sched.shutdown', domid: 2, reason: 'poweroff' };
    expect(host.submit(down).events).toContainEqual(expect.objectContaining({ type: 'evtchn.pending_raised', domid: 1 }));
    host.prepare(on('domctl.destroydomain', 1));
    expect(host.xen.evtchn.handlers.of(0)!.domid.at(VIRQ.DOM_EXC)).toBe(0);
  });

  test('a soft reset takes back what a domain has set up with Xen, and lets it run on', () => {
    const host = bootedHost();
    const SELF = 0x7ff0;
    host.prepare(
      { type: 'evtchn.bind_ipi', domid: 2, vcpu: 0 },
      { type: 'memory.add_to_physmap', domid: 2, dom: SELF, space: 0, idx: 0, gpfn: 40 },
      { type: 'vcpu.register_vcpu_info', domid: 2, vcpu: 0, current: 0, mfn: 3, offset: 0 },
      { type: 'vcpu.register_runstate_memory_area', domid: 2, vcpu: 0, addr: 0x4000 },
      { type: 'vcpu.register_vcpu_time_memory_area', domid: 2, vcpu: 0, addr: 0x4100 },
      { type: 'gnttab.seed', domid: 0, dom: 2, ref: 0, gfn: 1, backend: 0 },
      { type: 'gnttab.map_grant_ref', domid: 0, dom: 2, ref: 0, readonly: false },
      { type: 'sched.shutdown', domid: 2, reason: 'soft_reset' },
    );
    const pages = host.xen.domain.of(0)!.tot_pages.at(2);
    const shared = host.xen.sharedInfo(2);
    host.prepare(on('domctl.soft_reset', 2));
    expect([...host.xen.evtchn.ports.inUse(2)]).toEqual([]);
    expect(flags(host, 2) & XEN_DOMINF.shutdown).toBe(0);
    // Memory stands where its shared info did; its shared info is the same, and nowhere.
    expect([host.xen.domain.of(0)!.tot_pages.at(2), host.xen.sharedInfo(2)]).toEqual([pages + 1, shared]);
    expect([host.xen.p2m.mfn(2, 40) >= 0, host.xen.p2m.slotsOf(2)]).toEqual([true, []]);
    const { info_mfn_plus_1, runstate_addr_plus_1, time_addr_plus_1 } = host.xen.sched.vcpu.row(2, 0);
    expect([info_mfn_plus_1, runstate_addr_plus_1, time_addr_plus_1]).toEqual([0, 0, 0]);
    // Nobody lets go of its grants for it.
    expect(host.xen.gnttab.active.row(2, 0)).toMatchObject({ writers: 1 });
  });
  test('... which a PV domain can not, and has lost its channels', () => {
    const host = bootedHost().prepare(
      { type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 },
      { type: 'sched.shutdown', domid: 1, reason: 'soft_reset' },
    );
    expect(host.answer(on('domctl.soft_reset', 1))).toBe('EINVAL');
    expect([...host.xen.evtchn.ports.inUse(1)]).toEqual([]);
    expect(flags(host, 1) & XEN_DOMINF.shutdown).not.toBe(0);
  });
  test('... nor an HVM one that has no page for it', () => {
    const host = bootedHost().prepare({ type: 'memory.add_to_physmap', domid: 2, dom: 0x7ff0, space: 0, idx: 0, gpfn: 40 });
    const { tot_pages } = host.xen.domain.row(0, 2);
    host.prepare(
      { type: 'domctl.max_mem', domid: 0, domain: 2, max_memkb: tot_pages * 4 },
      { type: 'sched.shutdown', domid: 2, reason: 'soft_reset' },
    );
    expect(host.answer(on('domctl.soft_reset', 2))).toBe('ENOMEM');
    expect(flags(host, 2) & XEN_DOMINF.shutdown).not.toBe(0);
  });

  test('the hypercall page has an entry for each number', () => {
    const host = bootedHost();
    const mfn = host.xen.p2m.mfn(1, 3);
    host.prepare(on('domctl.hypercall_init', 1, { gmfn: mfn }));
    expect([...host.memory.read(mfn, 17 * 32, 14)]).toEqual([
      0x51, 0x41, 0x53, 0xb8, 17, 0, 0, 0, 0x0f, 5, 0x41, 0x5b, 0x59, 0xc3,
    ]);
    expect([...hypercallPage(true).subarray(32, 41)]).toEqual([0xb8, 1, 0, 0, 0, 0x0f, 1, 0xd9, 0xc3]);
    expect(host.answer(on('domctl.hypercall_init', 1, { gmfn: 1 }))).toBe('EINVAL');
  });

  test("a dying domain's pool goes back to the heap", () => {
    const host = bootedHost();
    const free = host.xen.p2m.freePages;
    while (host.answer(on('domctl.destroydomain', 2)) === 'ERESTART');
    expect(host.xen.p2m.freePages).toBe(free + INITIAL_POOL + 6 + 2);
  });

  test('an HVM context is kept as it was loaded', () => {
    const host = bootedHost();
    const empty = host.answer(on('domctl.gethvmcontext', 2, { size: 1000 })) as { buffer: Uint8Array };
    expect(empty.buffer).toHaveLength(40);
    const context = new Uint8Array(8 + 24 + 8 + 4 + 8);
    context.set(empty.buffer.subarray(0, 32));
    context.set([2, 0, 1, 0, 4, 0, 0, 0, 9, 8, 7, 6], 32);
    expect(host.types(on('domctl.sethvmcontext', 2, { buffer: context }))).toContain('vcpu.initialised');
    expect(host.answer(on('domctl.gethvmcontext', 2, { size: 1000 }))).toEqual({ size: 52, buffer: context });
    expect(host.answer(on('domctl.gethvmcontext_partial', 2, { typecode: 2, instance: 1 }))).toEqual({
      buffer: Uint8Array.of(9, 8, 7, 6),
    });
    expect(host.answer(on('domctl.gethvmcontext_partial', 2, { typecode: 2, instance: 0 }))).toBe('ENODATA');
    expect(host.answer(on('domctl.gethvmcontext', 2, { size: 3 }))).toBe('ENOSPC');
    expect(host.answer(on('domctl.sethvmcontext', 2, { buffer: context.subarray(0, 44) }))).toBe('ENODATA');
  });

  test("with an IOMMU, a device is one domain's, and comes back when that dies", () => {
    const host = bootedHost({ ...smallMachine, iommu: true }).prepare(create({ flags: CDF.iommu }), {
      type: 'physdev.pci_device_add',
      domid: 0,
      seg: 0,
      bus: 0,
      devfn: 0x10,
      flags: 0,
      physfn_bus: 0,
      physfn_devfn: 0,
    });
    const to3 = assign({ domain: 3 });
    expect(host.answer(assign({ domain: 3, machine_sbdf: 9 }))).toBe('ENODEV');
    expect(host.answer(to3)).toEqual({});
    expect(host.answer(to3)).toBe('ENODEV');
    expect(host.answer(on('domctl.test_assign_device', 0x7ff4, { dev: 0, flags: 0, machine_sbdf: 0x10 }))).toBe('EINVAL');
    expect([...host.xen.physdev.of(3)]).toEqual([0]);
    while (host.answer(on('domctl.destroydomain', 3)) === 'ERESTART');
    expect([...host.xen.physdev.of(3)]).toEqual([]);
    expect(host.answer(on('domctl.test_assign_device', 0x7ff4, { dev: 0, flags: 0, machine_sbdf: 0x10 }))).toEqual({});
  });
});

test('an NMI is one, whoever sends it: it wakes the vCPU, and once', () => {
  const host = bootedHost();
  expect(host.types({ type: 'domctl.sendtrigger', domid: 0, domain: 1, trigger: 0, vcpu: 0 })).toContain('vcpu.nmi_sent');
  expect(host.types({ type: 'vcpu.send_nmi', domid: 1, vcpu: 0 })).toEqual([]);
});
