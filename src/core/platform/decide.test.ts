import { expect, test } from 'vitest';
import { SECOND } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreCommand } from '../index.ts';

const ask = (type: string, args: object = {}, domid = 0): CoreCommand => ({ type, domid, ...args }) as unknown as CoreCommand;
const memtype = (mfn: number, memtype = 1): CoreCommand => ask('platform.add_memtype', { mfn, nr_mfns: 16, memtype });
const device = { seg: 0, bus: 0, devfn: 8 };
const add: CoreCommand = ask('physdev.pci_device_add', { ...device, flags: 0, physfn_bus: 0, physfn_devfn: 0 });
const ioapic = (type: string, args: object): CoreCommand => ask(type, { apic_physbase: '0xfec00000', ...args });
const page = (cmd: number, mfn: number, end = mfn): CoreCommand => ask('sysctl.page_offline_op', { cmd, start: mfn, end });
const server: CoreCommand = ask('dm.create_ioreq_server', { dom: 2, handle_bufioreq: 2 });
const range = (type: string, over: object = {}): CoreCommand =>
  ask(`dm.${type}`, { dom: 2, id: 0, range_type: 0, start: 0x70, end: 0x71, ...over });
const set = (index: number, value: string, domid = 0, dom = 2): CoreCommand => ask('hvm.set_param', { dom, index, value }, domid);
const get = (index: number, domid = 0, dom = 2): CoreCommand => ask('hvm.get_param', { dom, index }, domid);

const hotadd = (apic_id: number, acpi_id: number): CoreCommand => ask('platform.cpu_hotadd', { apic_id, acpi_id, pxm: 0 });

// d0 and d1 are PV, d2 is PVH with three vCPUs; two pCPUs, 0x4000 frames.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['the machine is no affair of guests', [], ask('platform.get_cpuinfo', { xen_cpuid: 0 }, 1), 'EPERM'],
  ['a pCPU is online', [], ask('platform.get_cpuinfo', { xen_cpuid: 1 }), { max_present: 1, flags: 1, apic_id: 1, acpi_id: 1 }],
  ['... or none', [], ask('platform.get_cpuinfo', { xen_cpuid: 2 }), { max_present: 1, flags: 2, apic_id: 0, acpi_id: 0 }],
  ['pCPU 0 stays', [], ask('platform.cpu_offline', { cpuid: 0 }), 'EOPNOTSUPP'],
  ['... another goes', [], ask('platform.cpu_offline', { cpuid: 1 }), {}],
  [
    '... and is off',
    [ask('platform.cpu_offline', { cpuid: 1 })],
    ask('platform.get_cpuinfo', { xen_cpuid: 1 }),
    expect.objectContaining({ flags: 0 }),
  ],
  ['a processor more has no place', [], hotadd(5, 5), 'ENOSPC'],
  ['... as are those that there are', [], hotadd(1, 5), 'EEXIST'],
  ['... with ids that do not belong together', [], hotadd(5, 1), 'EINVAL'],
  ['what is online can be', [], ask('platform.cpu_online', { cpuid: 1 }), {}],
  ['... what is not there can not', [], ask('platform.cpu_online', { cpuid: 2 }), 'EINVAL'],
  ['a memory type is set', [memtype(0)], memtype(16), { handle: 0, reg: 1 }],
  ['... once more', [memtype(0)], memtype(0), { handle: 0, reg: 0 }],
  ['... not another over it', [memtype(0)], memtype(0, 4), 'EINVAL'],
  ['... and taken back', [memtype(0)], ask('platform.del_memtype', { handle: 0, reg: 0 }), {}],
  ['... if it is there', [], ask('platform.del_memtype', { handle: 0, reg: 0 }), 'EINVAL'],
  [
    'time is set without what must be zero',
    [],
    ask('platform.settime64', { secs: 1, nsecs: 0, mbz: 1, system_time: 0 }),
    'EINVAL',
  ],
  [
    'the TSC may be read',
    [],
    ask('platform.resource_op', { cpu: 0, cmds: [0], idx: [16], vals: [] }),
    { nr_done: 1, ret: [0], vals: ['0x0'] },
  ],
  [
    '... nothing else',
    [],
    ask('platform.resource_op', { cpu: 0, cmds: [0], idx: [17], vals: [] }),
    { nr_done: 0, ret: [-1], vals: [] },
  ],
  ['P-states of a pCPU that there is', [], ask('platform.set_processor_pminfo', { id: 9, pm_type: 1, states: [] }), 'EINVAL'],
  [
    'C-states are told',
    [ask('platform.set_processor_pminfo', { id: 1, pm_type: 0, states: [1, 2, 3] })],
    ask('sysctl.get_pmstat', { cpuid: 1, pm_type: 0x21 }),
    { total: 4 },
  ],
  ['no driver changes frequencies', [], ask('sysctl.get_pmstat', { cpuid: 1, pm_type: 0x11 }), 'ENODEV'],
  [
    'the deepest C-state is set',
    [ask('sysctl.pm_op', { cmd: 0x23, cpuid: 0, value: 1 })],
    ask('sysctl.pm_op', { cmd: 0x22, cpuid: 0, value: 0 }),
    { value: 1 },
  ],
  ['... or none', [], ask('sysctl.pm_op', { cmd: 0x22, cpuid: 0, value: 0 }), { value: 2 ** 32 - 1 }],
  ['features as recorded', [], ask('sysctl.get_cpu_featureset', { index: 1, nr_features: 2 }), 'ENOBUFS'],
  ['... so many words', [], ask('sysctl.get_cpu_featureset', { index: 9, nr_features: 0 }), { nr_features: 19, features: [] }],
  ['... of no other set', [], ask('sysctl.get_cpu_featureset', { index: 6, nr_features: 19 }), 'EINVAL'],
  [
    'no patch is loaded',
    [],
    ask('sysctl.livepatch_op', { cmd: 1, pad: 0, name: 'x\0', idx: 0, nr: 0, payload: new Uint8Array(0) }),
    'ENOENT',
  ],
  [
    'free memory above 1 GiB: none',
    [],
    ask('sysctl.availheap', { min_bitwidth: 30, max_bitwidth: 0, node: 0 }),
    { avail_bytes: 0 },
  ],
  ['a page goes out of service', [], page(1, 0x1800), { status: [2] }],
  ['... not one of Xen', [], page(1, 3), 'EPERM'],
  ['... not one that there is not', [], page(3, 0x4000), 'EINVAL'],
  ['... and is known to be', [page(1, 0x1800)], page(3, 0x17ff, 0x1801), { status: [0, 2, 0] }],
  ['... and comes back', [page(1, 0x1800)], page(2, 0x1800), { status: [2] }],

  ["devices are dom0's to add", [], { ...add, domid: 1 } as CoreCommand, 'EPERM'],
  ['... and to remove', [add], ask('physdev.pci_device_remove', device), {}],
  ['... if they are there', [], ask('physdev.pci_device_remove', device), 'ENODEV'],
  ['MSI-X is prepared once', [add, ask('physdev.prepare_msix', device)], ask('physdev.prepare_msix', device), 'EBUSY'],
  ['... and released once', [add], ask('physdev.release_msix', device), 'EBUSY'],
  ['topology of devices', [add], ask('sysctl.pcitopoinfo', { sbdfs: [8, 9] }), { nodes: [2 ** 32 - 1, 2 ** 32 - 2] }],
  [
    'a GSI is set up once',
    [ask('physdev.setup_gsi', { gsi: 9, triggering: 1, polarity: 1 })],
    ask('physdev.setup_gsi', { gsi: 9, triggering: 1, polarity: 1 }),
    'EEXIST',
  ],
  ['an entry of the IO-APIC is masked', [], ioapic('physdev.apic_read', { reg: 16 }), { value: 0x10000 }],
  [
    '... until it is written',
    [ioapic('physdev.apic_write', { reg: 18, value: 0x31 })],
    ioapic('physdev.apic_read', { reg: 18 }),
    { value: 0x31 },
  ],
  ['... as an interrupt', [], ioapic('physdev.apic_write', { reg: 18, value: 0x400 }), 'EINVAL'],
  ['a free pirq is a GSI', [], ask('physdev.get_free_pirq', { pirq_type: 1 }, 1), { pirq: 16 }],
  ['... or from the end', [], ask('physdev.get_free_pirq', { pirq_type: 0 }, 1), { pirq: 415 }],
  ['HVM domains have none', [], ask('physdev.get_free_pirq', { pirq_type: 0 }, 2), 'ENOSYS'],
  ['an EOI is for a pirq that is known', [], ask('physdev.eoi', { irq: 20 }), 'EINVAL'],
  ['... as those of the ISA bus are to dom0', [], ask('physdev.eoi', { irq: 2 }), {}],
  ['... and to nobody else', [], ask('physdev.eoi', { irq: 2 }, 1), 'EINVAL'],
  ['IOPL is at most 3', [], ask('physdev.set_iopl', { vcpu: 0, iopl: 4 }, 1), 'EINVAL'],

  ['a device model has a server', [], server, { id: 0 }],
  ['... at most eight', Array(8).fill(server), server, 'ENOSPC'],
  ['... of another domain than its own', [], ask('dm.nr_vcpus', { dom: 0 }), 'EPERM'],
  ['... an HVM one', [], ask('dm.nr_vcpus', { dom: 1 }), 'EINVAL'],
  ['... that there is', [], ask('dm.nr_vcpus', { dom: 9 }), 'ESRCH'],
  ['... and is allowed to', [], ask('dm.nr_vcpus', { dom: 2 }, 1), 'EPERM'],
  ['... as its target is', [ask('domctl.set_target', { domain: 1, target: 2 })], ask('dm.nr_vcpus', { dom: 2 }, 1), { vcpus: 3 }],
  [
    "a server is its emulator's",
    [server, ask('domctl.set_target', { domain: 1, target: 2 })],
    { ...range('map_io_range_to_ioreq_server'), domid: 1 } as CoreCommand,
    'EPERM',
  ],
  ['ranges are mapped', [server], range('map_io_range_to_ioreq_server'), {}],
  [
    '... once',
    [server, range('map_io_range_to_ioreq_server')],
    range('map_io_range_to_ioreq_server', { start: 0x71, end: 0x80 }),
    'EEXIST',
  ],
  ['... of kinds that there are', [server], range('map_io_range_to_ioreq_server', { range_type: 3 }), 'EINVAL'],
  ['... by servers that there are', [], range('map_io_range_to_ioreq_server'), 'ENOENT'],
  ['... and unmapped', [server], range('unmap_io_range_from_ioreq_server'), 'ENOENT'],
  [
    'a server has pages of those set aside',
    [server, set(32, '0x2'), set(33, '0x2')],
    ask('dm.get_ioreq_server_info', { dom: 2, id: 0, flags: 0 }),
    { ioreq_gfn: 2, bufioreq_gfn: 3, bufioreq_port: 4 },
  ],
  ['... or none', [server], ask('dm.get_ioreq_server_info', { dom: 2, id: 0, flags: 0 }), 'ENOMEM'],
  ['a line has two levels', [], ask('dm.set_isa_irq_level', { dom: 2, isa_irq: 1, level: 2 }), 'EINVAL'],
  [
    'one event is injected at a time',
    [ask('dm.inject_event', { dom: 2, vcpuid: 0, vector: 1, event_type: 0, error_code: 0 })],
    ask('dm.inject_event', { dom: 2, vcpuid: 0, vector: 2, event_type: 0, error_code: 0 }),
    'EBUSY',
  ],
  [
    "pages are no server's before one wants them",
    [server],
    ask('dm.set_mem_type', { dom: 2, mem_type: 4, first_pfn: 0, nr: 1 }),
    'EINVAL',
  ],
  [
    'pages become read-only',
    [ask('dm.set_mem_type', { dom: 2, mem_type: 1, first_pfn: 1, nr: 2 })],
    ask('hvm.get_mem_type', { dom: 2, pfn: 2 }),
    { mem_type: 'ram_ro' },
  ],
  [
    '... others stay',
    [ask('dm.set_mem_type', { dom: 2, mem_type: 1, first_pfn: 1, nr: 2 })],
    ask('hvm.get_mem_type', { dom: 2, pfn: 3 }),
    { mem_type: 'ram_rw' },
  ],

  ['a guest sets its callback', [], set(0, '0x0200000000000031', 2), {}],
  ['... as 64 bits', [set(0, '0x0200000000000031', 2)], get(0, 2), { value: '0x200000000000031' }],
  ['... not its IOREQ page', [], set(5, '0x1', 2), 'EPERM'],
  ['... which dom0 sets once', [set(5, '0x1')], set(5, '0x2'), 'EEXIST'],
  ['... again to the same', [set(5, '0x1')], set(5, '0x1'), {}],
  ['nobody sets what is gone', [], set(4, '0x1'), 'EINVAL'],
  ['nor beyond the last', [], set(39, '0x1'), 'EINVAL'],
  ['nor of PV domains', [], set(1, '0x1', 0, 1), 'EINVAL'],
  ["nor others'", [], set(1, '0x1', 1, 2), 'EPERM'],
  ['a timer mode is one of four', [], set(10, '0x4'), 'EINVAL'],
  ['a TSS that can not be, set by its guest', [], set(37, '0x1', 2), 'EINVAL'],
  ['... is its end', [set(17, '0x1')], get(14), { value: '0x0' }],
  ['an upcall vector', [], ask('hvm.set_evtchn_upcall_vector', { vcpu: 1, vector: 0xf3 }, 2), {}],
  ['... not an exception', [], ask('hvm.set_evtchn_upcall_vector', { vcpu: 1, vector: 0xf }, 2), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a time that is set is the time since boot later', () => {
  const host = bootedHost();
  const outcome = host.submit(ask('platform.settime64', { secs: 1_700_000_000, nsecs: 5, mbz: 0, system_time: 3 * SECOND }));
  expect(outcome.events).toEqual([{ type: 'time.wallclock_set', sec: 1_699_999_997, nsec: 5 }]);
});

test('a guest that sets a TSS that can not be does not live on', () => {
  const host = bootedHost();
  expect(host.types(set(37, '0x1', 2))).toContain('domain.crashed');
});

test('a server takes its channels with it', () => {
  const host = bootedHost().prepare(server);
  expect([...host.xen.evtchn.ports.inUse(2)].map(([port]) => port)).toEqual([1, 2, 3, 4]);
  host.prepare(ask('dm.destroy_ioreq_server', { dom: 2, id: 0 }));
  expect([...host.xen.evtchn.ports.inUse(2)]).toEqual([]);
});

test('a processor that has no place is known by its APIC from then on', () => {
  const host = bootedHost();
  expect(host.answer(hotadd(5, 5))).toBe('ENOSPC');
  expect(host.answer(hotadd(5, 6))).toBe('EEXIST');
  expect(host.answer(hotadd(6, 6))).toBe('ENOSPC');
});
