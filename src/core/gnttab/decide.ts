// grant_table_op (xen/common/grant_table.c): what each operation checks, in Xen's order.
import type { Errno } from '../../../events/errno.ts';
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, type Gref, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, GnttabCommand, Outcome } from '../../../events/vocabulary.ts';
import { GNTMAP, GNTTAB_CACHE } from '../../abi/grant-table.ts';
import { isV2 } from '../p2m/grant-frames.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged, resolve } from '../xsm.ts';
import { copy } from './copy.ts';
import { entryFrame } from './entries.ts';
import { map, unmap, unmapWhole } from './map.ts';
import { isPinned, UNTOLD_ADDRESS } from './state.ts';
import { transfer } from './transfer.ts';
import { setupTable, setVersion, statusFrames } from './version.ts';

export { entryFrame, entryOffset } from './entries.ts';
export { unmapped } from './map.ts';

export function decide(xen: Xen, command: GnttabCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  if (!xen.exists(domid)) return refuse('ESRCH');

  switch (command.type) {
    case 'gnttab.setup_table': {
      const target = table(xen, domid, command.dom);
      return target.ok ? setupTable(xen, target.dom, command.nr_frames) : refuse(target.errno);
    }
    case 'gnttab.query_size': {
      const target = table(xen, domid, command.dom);
      if (!target.ok) return refuse(target.errno);
      const row = xen.domain.of(0)!;
      return accept({ nr_frames: row.nr_grant_frames.at(target.dom), max_nr_frames: row.max_grant_frames.at(target.dom) });
    }
    case 'gnttab.map_grant_ref': {
      const { dom, ref, readonly } = command;
      const flags = GNTMAP.host_map | (readonly ? GNTMAP.readonly : 0);
      return map(xen, { domid, dom, ref, flags, host_addr: UNTOLD_ADDRESS, vcpu: 0 }, guest);
    }
    case 'gnttab.map_grant_ref_at':
      return map(xen, command, guest);
    case 'gnttab.unmap_grant_ref': {
      const { handle } = command;
      return isFree(xen, domid, handle) ? refuse('bad_handle') : unmapWhole(xen, domid, handle, now, guest);
    }
    case 'gnttab.unmap_grant_ref_at':
      return unmap(xen, { ...command, new_addr: 0 }, now, guest);
    case 'gnttab.unmap_and_replace':
      return unmap(xen, { ...command, dev_bus_addr: 0 }, now, guest);
    case 'gnttab.unmap_device_map': {
      const { handle, frame } = command;
      if (isFree(xen, domid, handle)) return refuse('bad_handle');
      if (frame === 0) return accept(); // names no part of the mapping, so all of it stays
      const is = xen.gnttab.maptrack.of(domid)!.mfn.at(handle);
      return is === frame ? unmapWhole(xen, domid, handle, now, guest) : refuse('bad_dev_addr');
    }
    case 'gnttab.copy':
      return copy(xen, command, guest);
    case 'gnttab.transfer':
      return transfer(xen, command, guest);
    case 'gnttab.set_version':
      return setVersion(xen, command, guest);
    case 'gnttab.get_version': {
      const target = resolve(xen, domid, command.dom);
      return target.ok ? accept({ version: isV2(xen, target.dom) ? 2 : 1 }) : refuse(target.errno);
    }
    case 'gnttab.get_status_frames': {
      const target = table(xen, domid, command.dom);
      return target.ok ? statusFrames(xen, target.dom, command.nr_frames) : refuse(target.errno);
    }
    case 'gnttab.swap_grant_ref': {
      const { ref_a, ref_b } = command;
      if (entryFrame(xen, domid, ref_a) < 0 || entryFrame(xen, domid, ref_b) < 0) return refuse('bad_gntref');
      if (ref_a === ref_b) return accept();
      const active = xen.gnttab.active.of(domid)!;
      const isBusy = (ref: Gref): boolean => isPinned(active, ref);
      return isBusy(ref_a) || isBusy(ref_b) ? refuse('eagain') : accept({}, { type: 'gnttab.refs_swapped', domid, ref_a, ref_b });
    }
    case 'gnttab.dump_table':
      return refuse('ENOSYS'); // a number that nothing stands behind any more
    case 'gnttab.cache_flush':
      return cacheFlush(xen, command);
    case 'gnttab.seed': {
      if (!isPrivileged(domid)) return refuse('EPERM');
      const { dom, ref, gfn, backend } = command;
      if (!xen.exists(dom)) return refuse('ESRCH');
      if (entryFrame(xen, dom, ref) < 0) return refuse('bad_gntref');
      return accept({}, { type: 'gnttab.entry_seeded', domid: dom, ref, gfn, backend });
    }
    default:
      return command satisfies never;
  }
}

const isFree = (xen: Xen, domid: DomId, handle: number): boolean => xen.gnttab.maptrack.of(domid)!.state.is(handle) === 'free';

/** Whose table is meant, or the status that says why it may not be. */
function table(xen: Xen, caller: DomId, dom: DomId): { ok: true; dom: DomId } | { ok: false; errno: Errno } {
  const target = resolve(xen, caller, dom);
  return target.ok ? target : { ok: false, errno: target.errno === 'EPERM' ? 'permission_denied' : 'bad_domain' };
}

/** _cache_flush(): there is no cache to flush, but one may only ask for it where one may touch the frame. An x86 can not just forget. */
function cacheFlush(xen: Xen, { domid, dev_bus_addr, offset, length, op }: CommandOf<'gnttab.cache_flush'>): Outcome {
  const { CLEAN, INVAL } = GNTTAB_CACHE;
  const isInside = offset >= 0 && length >= 0 && offset < PAGE_SIZE && offset + length <= PAGE_SIZE;
  if (!isInside || op < 0 || op > (CLEAN | INVAL)) return refuse('EINVAL');
  if (length === 0 || op === 0) return accept();
  const mfn = Math.floor(dev_bus_addr / PAGE_SIZE);
  if (mfn < 0 || mfn > xen.p2m.maxMfn) return refuse('EINVAL');
  const owner = xen.ownerOf(mfn);
  if (owner < 0) return refuse('EPERM');
  if (owner !== domid && !isMappedBy(xen, domid, mfn)) return refuse('EINVAL');
  return op === INVAL ? refuse('EOPNOTSUPP') : accept();
}

function isMappedBy(xen: Xen, domid: DomId, mfn: number): boolean {
  for (const [, mapping] of xen.gnttab.maptrack.inUse(domid)) if (mapping.mfn === mfn) return true;
  return false;
}
