// grant_table_op (xen/common/grant_table.c, do_grant_table_op()): lists of structures, each of which gets a status of its own.
import { errnoNumber } from '../../events/errno.ts';
import * as abi from '../abi/grant-table.ts';
import { GNTCOPY, GNTMAP, GNTST_okay, GNTTABOP } from '../abi/grant-table.ts';
import { uint64_t, xen_pfn_t } from '../abi/scalars.ts';
import type { Type } from '../abi/struct.ts';
import { type Call, done, goOn, type Result, uint } from './call.ts';
import { type Codec, type Codecs, codec, commandOf, finish, perform, Refusal } from './codec.ts';
import type { Plain } from './guest-memory.ts';

/** The bits above the command are for what Xen goes on with. */
const CMD_MASK = 0xfff;

const frameAddress = (mfn: unknown): bigint => BigInt((mfn as number | undefined) ?? 0) << 12n;

/** Those that take a list of any length. A status stands in each element, beside what the operation answers. */
export const listed: Codecs = {
  [GNTTABOP.map_grant_ref]: codec('gnttab.map_grant_ref_at', abi.gnttab_map_grant_ref, {
    args: {
      flags: ({ flags }) =>
        ((flags as number) & (GNTMAP.device_map | GNTMAP.host_map)) === 0 ? new Refusal('bad_gntref') : flags,
    },
    out: ({ handle, mfn }) => ({ handle, dev_bus_addr: frameAddress(mfn) }),
  }),
  [GNTTABOP.unmap_grant_ref]: codec('gnttab.unmap_grant_ref_at', abi.gnttab_unmap_grant_ref),
  [GNTTABOP.unmap_and_replace]: codec('gnttab.unmap_and_replace', abi.gnttab_unmap_and_replace),
  [GNTTABOP.transfer]: codec('gnttab.transfer', abi.gnttab_transfer, { args: { dom: 'domid' } }),
  [GNTTABOP.copy]: codec('gnttab.copy', abi.gnttab_copy, {
    args: {
      source_dom: 'source.domid',
      source_ref: side('source', GNTCOPY.source_gref),
      source_is_ref: ({ flags }) => ((flags as number) & GNTCOPY.source_gref) !== 0,
      source_offset: 'source.offset',
      dest_dom: 'dest.domid',
      dest_ref: side('dest', GNTCOPY.dest_gref),
      dest_is_ref: ({ flags }) => ((flags as number) & GNTCOPY.dest_gref) !== 0,
      dest_offset: 'dest.offset',
    },
  }),
  [GNTTABOP.swap_grant_ref]: codec('gnttab.swap_grant_ref', abi.gnttab_swap_grant_ref),
};

/** A reference, or a frame: a union, and the flags say which. */
function side(name: 'source' | 'dest', isRef: number) {
  return (given: Plain) => {
    const { ref, gmfn } = (given[name] as { u: { ref: number; gmfn: bigint } }).u;
    return ((given['flags'] as number) & isRef) !== 0 ? ref : gmfn;
  };
}

/** Those that take one structure, in which their status stands. */
export const single: Codecs = {
  [GNTTABOP.setup_table]: codec('gnttab.setup_table', abi.gnttab_setup_table, frameList(xen_pfn_t)),
  [GNTTABOP.get_status_frames]: codec('gnttab.get_status_frames', abi.gnttab_get_status_frames, frameList(uint64_t)),
  [GNTTABOP.query_size]: codec('gnttab.query_size', abi.gnttab_query_size, { out: ['nr_frames', 'max_nr_frames'] }),
};
/** A frame that has no place in the guest's list makes a status of its own: the table has grown all the same. */
function frameList(type: Type<bigint>): Omit<Codec, 'command' | 'struct'> {
  return {
    out: ({ frames }, { frame_list }, { guest }) => {
      const list = (frames as readonly number[]).map((mfn) => BigInt(mfn));
      const isThere = guest.putList(type, frame_list as bigint, list) === list.length;
      return isThere ? {} : { status: errnoNumber('bad_virt_addr') };
    },
  };
}

/** Those that answer an errno like any other call. */
export const plain: Codecs = {
  [GNTTABOP.set_version]: codec('gnttab.set_version', abi.gnttab_set_version, { out: ['version'], always: true }),
  [GNTTABOP.get_version]: codec('gnttab.get_version', abi.gnttab_get_version, { out: ['version'] }),
  // There is nothing behind it: not even the structure is looked at.
  [GNTTABOP.dump_table]: codec('gnttab.dump_table', undefined, { args: { dom: { is: 0 } } }),
};

const cacheFlush = codec('gnttab.cache_flush', abi.gnttab_cache_flush, {
  args: { dev_bus_addr: 'a.dev_bus_addr' },
});

export function performGrantTableOp(call: Call): Result {
  const cmd = uint(call.arg(0)) & CMD_MASK;
  const isContinued = uint(call.arg(0)) > CMD_MASK;
  const at = call.arg(1);
  const count = uint(call.arg(2));
  if (count > 0x7fff_ffff || (isContinued && cmd !== GNTTABOP.cache_flush)) return call.refuse('EINVAL', cmd);
  if (plain[cmd]) return perform(call, plain[cmd], at, cmd);
  if (single[cmd]) return count === 1 ? one(call, single[cmd], at, cmd) : call.refuse('EINVAL', cmd);
  if (cmd === GNTTABOP.cache_flush) return list(call, cacheFlush, cmd, (element, place) => flush(element, place));
  const codec = listed[cmd];
  return codec ? list(call, codec, cmd, (element, place) => elementOf(element, codec, place, cmd)) : call.refuse('ENOSYS', cmd);
}

/** What an element answers that is to be tried again: a copy by another's grant while its entry is in use as something else. */
const AGAIN = 1;

/** One element after the other; what is left when somebody else's turn comes is the guest's next call. An element that fails as a whole ends it. */
function list(call: Call, { struct }: Codec, cmd: number, element: (call: Call, at: bigint) => number): Result {
  const count = uint(call.arg(2));
  const size = BigInt(struct![call.guest.width].size);
  const steps = count > 1 ? call.asList() : call;
  for (let i = 0; i < count; i++) {
    const at = call.arg(1) + BigInt(i) * size;
    if (i > 0 && call.port.preempt()) return goOn(call.number, [BigInt(cmd), at, BigInt(count - i)]);
    const rc = element(steps, at);
    if (rc === AGAIN) return goOn(call.number, [BigInt(cmd), at, BigInt(count - i)]);
    if (rc < 0) return done(rc);
  }
  return done(0);
}

function one(call: Call, codec: Codec, at: bigint, cmd: number): Result {
  return done(elementOf(call, codec, at, cmd));
}

/** The status goes into the structure, whatever it is; only what is not there fails the call. */
function elementOf(call: Call, codec: Codec, at: bigint, cmd: number): number {
  const given = call.guest.read(codec.struct!, at);
  if (given === undefined) return call.refused('EFAULT', cmd);
  const command = commandOf(call, codec, given);
  let status = GNTST_okay;
  if (command instanceof Refusal) status = call.refused(command.errno, cmd);
  else {
    const outcome = call.step(command);
    if (!outcome.ok && outcome.errno === 'ERESTART') return AGAIN;
    if (!outcome.ok) status = errnoNumber(outcome.errno);
    // What comes back may say something else of the status.
    else if (call.guest.write(codec.struct!, at, { status }) && finish(call, codec, given, outcome, at) < 0)
      return errnoNumber('EFAULT');
    else return 0;
  }
  return call.guest.write(codec.struct!, at, { status }) ? 0 : errnoNumber('EFAULT');
}

/** cache_flush answers errnos, and has no status. */
function flush(call: Call, at: bigint): number {
  const result = perform(call, cacheFlush, at, GNTTABOP.cache_flush);
  return result.done ? result.rc : 0;
}
