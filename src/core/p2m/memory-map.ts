// What a guest and dom0 may know of the machine's memory: maps, and the machine-to-physical table (arch_memory_op() in xen/arch/x86/mm.c).
import { accept, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, resolve } from '../xsm.ts';
import { UNPLACED } from './state.ts';

/** struct e820entry is packed: two quad words and a word. */
const E820ENTRY_SIZE = 20;
const E820MAX = 1024;
const E820_RAM = 1;
const E820_RESERVED = 2;

export function setMemoryMap(xen: Xen, command: CommandOf<'memory.set_memory_map'>): Outcome {
  const { domid, nr_entries, entries } = command;
  if (nr_entries < 0 || nr_entries > E820MAX) return refuse('EINVAL');
  const target = resolve(xen, domid, command.dom);
  if (!target.ok) return refuse(target.errno);
  if (entries.length < nr_entries * E820ENTRY_SIZE) return refuse('EFAULT');
  const kept = entries.slice(0, nr_entries * E820ENTRY_SIZE);
  return accept({}, { type: 'p2m.memory_map_set', domid: target.dom, entries: kept });
}

export function memoryMap(xen: Xen, { domid, nr_entries }: CommandOf<'memory.memory_map'>): Outcome {
  const map = xen.p2m.memoryMaps.get(domid)?.entries ?? '';
  if (map === '') return refuse('ENOSYS');
  // The number has no sign: below zero is more than there are.
  const count = nr_entries < 0 ? E820MAX : Math.min(nr_entries, map.length / E820ENTRY_SIZE);
  const entries = Uint8Array.from(map.slice(0, count * E820ENTRY_SIZE), (char) => char.charCodeAt(0));
  return accept({ nr_entries: entries.length / E820ENTRY_SIZE, entries });
}

/** A PC's memory: the first 640 KiB without the BIOS's own, and all above 1 MiB. */
function machineMap(xen: Xen): readonly (readonly [start: number, end: number, type: number])[] {
  const end = xen.p2m.totalPages * PAGE_SIZE;
  const map: [number, number, number][] = [
    [0, 0x9fc00, E820_RAM],
    [0x9fc00, 0xa0000, E820_RESERVED],
    [0xf0000, 0x100000, E820_RESERVED],
  ];
  if (end > 0x100000) map.push([0x100000, end, E820_RAM]);
  return map;
}

/** The machine's own map, for dom0; where it has no entry, everything is dom0's to use for devices, and reserved for that. */
export function machineMemoryMap(xen: Xen, command: CommandOf<'memory.machine_memory_map'>): Outcome {
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  const map = machineMap(xen);
  const nr_given = command.nr_entries < 0 ? 2 ** 32 : command.nr_entries;
  if (command.store && nr_given < map.length + 1) return refuse('EINVAL');
  const whole: (readonly [number, number, number])[] = [];
  let page = 0;
  for (const entry of map) {
    const first = Math.floor(entry[0] / PAGE_SIZE);
    if (first > page) whole.push([page * PAGE_SIZE, first * PAGE_SIZE, E820_RESERVED]);
    whole.push(entry);
    page = Math.ceil(entry[1] / PAGE_SIZE);
  }
  whole.push([page * PAGE_SIZE, 2 ** 40, E820_RESERVED]);
  if (command.store && nr_given < whole.length) return refuse('EINVAL');
  return accept({ nr_entries: whole.length, entries: command.store ? encode(whole) : new Uint8Array(0) });
}

function encode(map: readonly (readonly [start: number, end: number, type: number])[]): Uint8Array {
  const bytes = new Uint8Array(map.length * E820ENTRY_SIZE);
  const view = new DataView(bytes.buffer);
  map.forEach(([start, end, type], i) => {
    view.setBigUint64(i * E820ENTRY_SIZE, BigInt(start), true);
    view.setBigUint64(i * E820ENTRY_SIZE + 8, BigInt(end - start), true);
    view.setUint32(i * E820ENTRY_SIZE + 16, type, true);
  });
  return bytes;
}

/** A frame of the table's is the first of 2 MiB, which say it of 1 GiB of memory. */
const PAGES_PER_EXTENT = 2 ** 18;
const FRAMES_PER_EXTENT = 512;

/** Xen's own frames hold as much of the table as they have room for; what follows has none of its own, and says the last one again. */
export function machphysMfnList(xen: Xen, { max_extents }: CommandOf<'memory.machphys_mfn_list'>): Outcome {
  const count = Math.ceil(xen.p2m.totalPages / PAGES_PER_EXTENT);
  const wanted = max_extents < 0 ? count : Math.min(max_extents, count);
  const frames = Array.from({ length: wanted }, (_, i) => Math.min(i + 1, LAST_EXTENT) * FRAMES_PER_EXTENT);
  return accept({ frames });
}
/** Frames below 16 MiB are Xen's. */
const LAST_EXTENT = 7;

/** public/arch-x86/xen-x86_64.h: where every PV guest sees the table. Only dom0 is told how far it reaches: no memory is ever added. */
const MACH2PHYS_VIRT_START = '0xffff800000000000';
const MACH2PHYS_VIRT_END = '0xffff804000000000';
const MACH2PHYS_NR_ENTRIES = 2 ** 35;

export function machphysMapping(xen: Xen, { domid }: CommandOf<'memory.machphys_mapping'>): Outcome {
  const max_mfn = domid === 0 ? xen.p2m.totalPages - 1 : MACH2PHYS_NR_ENTRIES - 1;
  return accept({ v_start: MACH2PHYS_VIRT_START, v_end: MACH2PHYS_VIRT_END, max_mfn });
}

/** What the table has for a frame. */
export function machphys(xen: Xen, mfn: Mfn): number {
  const told = xen.p2m.machphys(mfn);
  if (told !== undefined) return told;
  for (const domid of xen.domids()) {
    const gfn = xen.p2m.gfn(domid, mfn);
    if (gfn >= 0) return gfn < UNPLACED ? gfn : -1;
    const slot = xen.p2m.slotsOf(domid).find((slot) => slot.mfn === mfn && slot.dom === domid);
    if (slot !== undefined) return slot.gfn;
  }
  return -1;
}

/** What a physmap has at a page; a PV domain has none, and its pages are frames. */
export function getGfn(xen: Xen, dom: DomId, gfn: number): Outcome {
  if (xen.domain.of(0)!.hvm.at(dom) === 0) {
    const isOwn = xen.p2m.gfn(dom, gfn) >= 0;
    return accept({ mfn: isOwn ? gfn : -1, p2mt: isOwn ? 'ram_rw' : 'invalid' });
  }
  const slot = xen.p2m.slot(dom, gfn);
  if (slot !== undefined) return accept({ mfn: slot.mfn, p2mt: slot.dom === dom ? 'ram_rw' : 'map_foreign' });
  if (xen.p2m.isOnDemand(dom, gfn)) return accept({ mfn: -1, p2mt: 'populate_on_demand' });
  const mfn = gfn < UNPLACED ? xen.p2m.mfn(dom, gfn) : -1;
  return accept({ mfn, p2mt: mfn < 0 ? 'invalid' : 'ram_rw' });
}

/** XENMEM_access_op: what it asks of a domain, and that nobody has a ring to hear of accesses (mem_access_memop()). */
export function accessOp(xen: Xen, { domid, dom }: CommandOf<'memory.access_op'>): Outcome {
  if (dom >= DOMID_FIRST_RESERVED || !xen.exists(dom)) return refuse('ESRCH');
  if (dom === domid) return refuse('EPERM');
  return refuse('EINVAL'); // only Intel's processors have accesses of pages to control (p2m_mem_access_sanity_check())
}

interface Vnuma {
  readonly nr_vnodes: number;
  /** struct xen_vmemrange: four numbers each. */
  readonly vmemranges: readonly number[];
  readonly vdistance: readonly number[];
  readonly vcpu_to_vnode: readonly number[];
}

/** What the toolstack has told of a domain's virtual nodes; how much room that takes, where the guest has not enough. */
export function vnumainfo(xen: Xen, dom: DomId, command: CommandOf<'memory.get_vnumainfo'>): Outcome {
  const vnuma = xen.control.setting<Vnuma>(dom, 'vnuma');
  if (vnuma === undefined) return refuse('EOPNOTSUPP');
  const { nr_vnodes, vmemranges, vdistance, vcpu_to_vnode } = vnuma;
  const room = { nr_vnodes, nr_vcpus: xen.domain.of(0)!.max_vcpus.at(dom), nr_vmemranges: vmemranges.length / 4 };
  // Counts have no sign: below zero is more than enough.
  const isShort = (Object.keys(room) as (keyof typeof room)[]).some((name) => command[name] >>> 0 < room[name]);
  return isShort
    ? refuse('ENOBUFS', { ...room, vmemranges: [], vdistance: [], vcpu_to_vnode: [] })
    : accept({ ...room, vmemranges, vdistance, vcpu_to_vnode });
}
