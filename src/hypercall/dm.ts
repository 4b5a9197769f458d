// dm_op (xen/common/dm.c, xen/arch/x86/hvm/dm.c): buffers, of which the first says what a device model asks.
import { type Errno, errnoNumber } from '../../events/errno.ts';
import * as abi from '../abi/dm.ts';
import type { Struct } from '../abi/struct.ts';
import { DMOP } from '../abi/sub-operations.ts';
import { dmFlaw } from '../core/hvm/dm.ts';
import { type Call, done, type Result, uint } from './call.ts';
import { type Codec, type Codecs, codec, commandOf, perform, Refusal } from './codec.ts';
import type { Plain } from './guest-memory.ts';

const dom = (_: Plain, call: Call): number => uint(call.arg(0)) & 0xffff;

/** A sub-operation whose padding must be 0: whoever set it is refused before anything is done. */
function dmCodec(
  command: Codec['command'],
  struct: Codec['struct'],
  pads: readonly string[] = [],
  { args = {}, ...rest }: Partial<Codec> = {},
): Codec {
  const isClean = (given: Plain): boolean =>
    pads.every((pad) => [given[pad]].flat().every((value) => value === 0 || value === undefined));
  return codec(command, struct, {
    ...rest,
    args: { dom: (given, call) => (isClean(given) ? dom(given, call) : new Refusal('EINVAL')), ...args },
  });
}
const range = { range_type: 'type' };

export const dmOp: Codecs = {
  [DMOP.create_ioreq_server]: dmCodec('dm.create_ioreq_server', abi.xen_dm_op_create_ioreq_server, ['pad'], { out: ['id'] }),
  [DMOP.get_ioreq_server_info]: dmCodec('dm.get_ioreq_server_info', abi.xen_dm_op_get_ioreq_server_info, [], {
    // What was not asked for, and what such a server has none of, stays as it was.
    out: ({ ioreq_gfn, bufioreq_gfn, bufioreq_port }, { flags }) => ({
      ...(bufioreq_port === 0 ? {} : { bufioreq_port }),
      ...((flags as number) & 1 ? {} : { ioreq_gfn: BigInt(ioreq_gfn as number) }),
      ...((flags as number) & 1 || bufioreq_port === 0 ? {} : { bufioreq_gfn: BigInt(bufioreq_gfn as number) }),
    }),
  }),
  [DMOP.map_io_range_to_ioreq_server]: dmCodec('dm.map_io_range_to_ioreq_server', abi.xen_dm_op_ioreq_server_range, ['pad'], {
    args: range,
  }),
  [DMOP.unmap_io_range_from_ioreq_server]: dmCodec(
    'dm.unmap_io_range_from_ioreq_server',
    abi.xen_dm_op_ioreq_server_range,
    ['pad'],
    { args: range },
  ),
  [DMOP.set_ioreq_server_state]: dmCodec('dm.set_ioreq_server_state', abi.xen_dm_op_set_ioreq_server_state, ['pad']),
  [DMOP.destroy_ioreq_server]: dmCodec('dm.destroy_ioreq_server', abi.xen_dm_op_destroy_ioreq_server, ['pad']),
  [DMOP.track_dirty_vram]: dmCodec('dm.track_dirty_vram', abi.xen_dm_op_track_dirty_vram, ['pad'], {
    args: { size: (_, call) => buffer(call, 1)?.size ?? new Refusal('EINVAL') },
    write: ({ dirty }, _, call) => call.guest.put(buffer(call, 1)!.h, dirty as Uint8Array),
  }),
  [DMOP.set_pci_intx_level]: dmCodec('dm.set_pci_intx_level', abi.xen_dm_op_set_pci_intx_level, [], {
    args: { segment: 'domain' },
  }),
  [DMOP.set_isa_irq_level]: dmCodec('dm.set_isa_irq_level', abi.xen_dm_op_set_isa_irq_level),
  [DMOP.set_pci_link_route]: dmCodec('dm.set_pci_link_route', abi.xen_dm_op_set_pci_link_route),
  [DMOP.modified_memory]: dmCodec('dm.modified_memory', abi.xen_dm_op_modified_memory_extent, ['pad']),
  [DMOP.set_mem_type]: dmCodec('dm.set_mem_type', abi.xen_dm_op_set_mem_type, ['pad']),
  [DMOP.inject_event]: dmCodec('dm.inject_event', abi.xen_dm_op_inject_event, ['pad0', 'pad1'], {
    args: { event_type: 'type' },
  }),
  [DMOP.inject_msi]: dmCodec('dm.inject_msi', abi.xen_dm_op_inject_msi, ['pad']),
  [DMOP.map_mem_type_to_ioreq_server]: dmCodec(
    'dm.map_mem_type_to_ioreq_server',
    abi.xen_dm_op_map_mem_type_to_ioreq_server,
    [],
    { args: { mem_type: 'type' } },
  ),
  [DMOP.remote_shutdown]: dmCodec('dm.remote_shutdown', abi.xen_dm_op_remote_shutdown),
  [DMOP.relocate_memory]: dmCodec('dm.relocate_memory', abi.xen_dm_op_relocate_memory, ['pad']),
  [DMOP.pin_memory_cacheattr]: dmCodec('dm.pin_memory_cacheattr', abi.xen_dm_op_pin_memory_cacheattr, ['pad'], {
    args: { attribute: 'type' },
  }),
  // Of Arm: nothing of it is looked at.
  [DMOP.set_irq_level]: codec('dm.set_irq_level', undefined, { args: { dom, irq: { is: 0 }, level: { is: 0 } } }),
  [DMOP.nr_vcpus]: dmCodec('dm.nr_vcpus', abi.xen_dm_op_nr_vcpus, [], { out: ['vcpus'] }),
};
/** What a sub-operation's own structure is, where its codec reads another. */
const structOf = (cmd: number): Struct<unknown> | undefined =>
  cmd === DMOP.modified_memory ? abi.xen_dm_op_modified_memory : dmOp[cmd]?.struct;

const MAX_BUFFERS = 2;
interface Buffer {
  readonly h: bigint;
  /** In bytes; no more than a number of the vocabulary holds. */
  readonly size: number;
}
/** One of the call's buffers; undefined where it has none. */
function buffer(call: Call, index: number): Buffer | undefined {
  if (index >= uint(call.arg(1))) return undefined;
  const at = call.arg(2) + BigInt(index * abi.xen_dm_op_buf[call.guest.width].size);
  const { h, size } = call.guest.read(abi.xen_dm_op_buf, at) as { h: bigint; size: bigint };
  return { h, size: Number(size > 0xffff_ffffn ? 0xffff_ffffn : size) };
}

export function performDmOp(call: Call): Result {
  const { guest } = call;
  const nr_bufs = uint(call.arg(1));
  if (nr_bufs > MAX_BUFFERS) return call.refuse('E2BIG');
  if (nr_bufs === 0) return call.refuse('ENODATA');
  if (!guest.isBacked(call.arg(2), nr_bufs * abi.xen_dm_op_buf[guest.width].size)) return call.refuse('EFAULT');
  // Whom it is about is looked at before what it is.
  const flaw = dmFlaw(call.xen, call.caller.domid, dom({}, call));
  if (flaw !== undefined) return call.refuse(flaw);
  const first = buffer(call, 0);
  if (first === undefined || first.size < abi.XEN_DM_OP_U) return call.refuse('EFAULT');
  const head = guest.read(abi.xen_dm_op_head, first.h);
  if (head === undefined) return call.refuse('EFAULT');
  const cmd = head['op'] as number;
  const known = dmOp[cmd];
  if (known === undefined) return call.refuse('EOPNOTSUPP', cmd);
  const size = structOf(cmd)?.[guest.width].size ?? 0;
  const at = first.h + BigInt(abi.XEN_DM_OP_U);
  if (first.size < abi.XEN_DM_OP_U + size || !guest.isBacked(at, size)) return call.refuse('EFAULT', cmd);
  if (head['pad'] !== 0) return call.refuse('EINVAL', cmd);
  if (cmd === DMOP.modified_memory) return modifiedMemory(call, known, at);
  return cmd === DMOP.relocate_memory ? relocate(call, known, at) : perform(call, known, at, cmd);
}

/** A step for each extent, from the last to the first, as Xen counts them down. */
function modifiedMemory(call: Call, known: Codec, at: bigint): Result {
  const { guest } = call;
  const cmd = DMOP.modified_memory;
  const { nr_extents } = guest.read(abi.xen_dm_op_modified_memory, at) as { nr_extents: number };
  // Nobody wants to know of which: they are not looked at.
  if (call.xen.control.row.log_dirty.at(dom({}, call)) === 0)
    return done(rcOf(call, commandOf(call, known, { nr: 0, pad: 0, first_pfn: 0n })));
  const extent = abi.xen_dm_op_modified_memory_extent[guest.width].size;
  const list = buffer(call, 1) ?? { h: 0n, size: 0 };
  if (Math.floor(list.size / extent) < nr_extents) return call.refuse('EINVAL', cmd);
  const steps = call.asList();
  for (let left = nr_extents; left > 0; left--) {
    if (left < nr_extents && call.port.preempt()) {
      guest.write(abi.xen_dm_op_modified_memory, at, { nr_extents: left });
      return call.again();
    }
    const given = guest.read(abi.xen_dm_op_modified_memory_extent, list.h + BigInt((left - 1) * extent));
    const rc = given === undefined ? steps.refused('EFAULT', cmd) : rcOf(steps, commandOf(call, known, given));
    if (rc < 0) return done(rc);
  }
  return done(0);
}
function rcOf(call: Call, command: ReturnType<typeof commandOf>): number {
  if (command instanceof Refusal) return call.refused(command.errno, DMOP.modified_memory);
  const outcome = call.step(command);
  return outcome.ok ? 0 : errnoNumber(outcome.errno as Errno);
}

/** A page a step; what is left is written back where something else is to run first. */
function relocate(call: Call, known: Codec, at: bigint): Result {
  const { guest } = call;
  let given = guest.read(abi.xen_dm_op_relocate_memory, at)!;
  const steps = (given['size'] as number) > 1 ? call.asList() : call;
  for (;;) {
    const command = commandOf(call, known, given);
    if (command instanceof Refusal) return call.refuse(command.errno, DMOP.relocate_memory);
    const outcome = steps.step(command);
    if (outcome.ok) return done(0);
    if (outcome.errno !== 'ERESTART') return done(errnoNumber(outcome.errno));
    const { size, src_gfn, dst_gfn } = outcome.value as { size: number; src_gfn: number; dst_gfn: number };
    given = { ...given, size, src_gfn: BigInt(src_gfn), dst_gfn: BigInt(dst_gfn) };
    if (!call.port.preempt()) continue;
    return guest.write(abi.xen_dm_op_relocate_memory, at, given) ? call.again() : done(errnoNumber('EFAULT'));
  }
}
