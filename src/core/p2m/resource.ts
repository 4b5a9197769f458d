// XENMEM_acquire_resource (acquire_resource() in xen/common/memory.c): frames of a domain that are not of its memory, for its toolstack.
import type { Errno } from '../../../events/errno.ts';
import { accept, refuse } from '../../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId, type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import { XENMEM_resource, XENMEM_resource_grant_table_id } from '../../abi/memory.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { firstFrames, statusFramesFor } from './grant-frames.ts';
import { allocateFrames, available } from './heap.ts';
import { UNPLACED } from './state.ts';

/** struct ioreq is 32 bytes. */
const IOREQ_SIZE = 32;
const MAX_NR_FRAMES = 2 ** 26 - 1;
const U32 = 2 ** 32;
/** -EOPNOTSUPP as the unsigned number for which Xen takes it: a resource that nobody knows has so many frames. */
const UNKNOWN_FRAMES = U32 - 95;

export function acquireResource(xen: Xen, command: CommandOf<'memory.acquire_resource'>): Outcome {
  const { domid, dom, resource, id, frame, nr_frames, size, gfns } = command;
  const isTranslated = xen.domain.of(0)!.hvm.at(domid) === 1;
  if (isTranslated && domid !== 0) return refuse('EACCES');
  if (frame < 0 || frame >= U32 || nr_frames < 0 || frame + nr_frames >= U32) return refuse('EINVAL');
  if (dom >= DOMID_FIRST_RESERVED || !xen.exists(dom)) return refuse('ESRCH');
  if (dom === domid || !isPrivileged(domid)) return refuse('EPERM');
  const max_frames = maxFrames(xen, dom, resource, id);
  if (max_frames === 0) return refuse('EINVAL');
  if (size) return nr_frames !== 0 ? refuse('EINVAL') : accept({ nr_frames: max_frames, frames: [] });
  if (nr_frames === 0 || nr_frames > MAX_NR_FRAMES) return refuse('EINVAL');
  const acquired = acquire(xen, domid, dom, { resource, id, frame, nr_frames });
  if (!acquired.ok) return refuse(acquired.errno, undefined, ...(acquired.facts ?? []));
  const { frames, facts } = acquired;
  if (!isTranslated) return accept({ nr_frames, frames }, ...facts);
  const mapped = mapInto(xen, domid, dom, frames, gfns);
  return mapped.ok ? accept({ nr_frames, frames: [] }, ...facts, ...mapped.facts) : refuse(mapped.errno, undefined, ...facts);
}

function maxFrames(xen: Xen, dom: DomId, resource: number, id: number): number {
  const row = xen.domain.of(0)!;
  switch (resource) {
    case XENMEM_resource.grant_table:
      return id === XENMEM_resource_grant_table_id.shared
        ? row.max_grant_frames.at(dom)
        : id === XENMEM_resource_grant_table_id.status
          ? statusFramesFor(row.max_grant_frames.at(dom))
          : 0;
    case XENMEM_resource.ioreq_server:
      return row.hvm.at(dom) === 0 ? 0 : 1 + Math.ceil((row.max_vcpus.at(dom) * IOREQ_SIZE) / PAGE_SIZE);
    case XENMEM_resource.vmtrace_buf:
      return 0; // no domain is made with one
    default:
      return UNKNOWN_FRAMES;
  }
}

type Acquired =
  | { readonly ok: true; readonly frames: readonly Mfn[]; readonly facts: readonly Fact[] }
  | { readonly ok: false; readonly errno: Errno; readonly facts?: readonly Fact[] };
const failed = (errno: Errno): Acquired & { readonly ok: false } => ({ ok: false, errno });

interface Wanted {
  readonly resource: number;
  readonly id: number;
  readonly frame: number;
  readonly nr_frames: number;
}

function acquire(xen: Xen, caller: DomId, dom: DomId, { resource, id, frame, nr_frames }: Wanted): Acquired {
  switch (resource) {
    case XENMEM_resource.grant_table:
      break;
    case XENMEM_resource.ioreq_server:
      return ioreqPages(xen, caller, dom, { resource, id, frame, nr_frames });
    default:
      return failed('EOPNOTSUPP');
  }
  const statuses = id === XENMEM_resource_grant_table_id.status;
  const table = firstFrames(xen, dom, { count: frame + nr_frames, statuses });
  return table === undefined ? failed('EINVAL') : { ok: true, frames: table.frames.slice(frame), facts: table.facts };
}
/** A server's identifier has 16 bits. */
const MAX_ID = 0xffff;
const NO_BUFIOREQ = 0;

/** ioreq_server_get_frame(): the page of the buffered requests, and that of the others, made when they are first asked for. */
function ioreqPages(xen: Xen, caller: DomId, dom: DomId, { id, frame, nr_frames }: Wanted): Acquired {
  if (id < 0 || id > MAX_ID) return failed('EINVAL');
  const server = xen.hvm.server(dom, id);
  if (server === undefined) return failed('ENOENT');
  if (server.emulator !== caller || server.ioreq_gfn >= 0) return failed('EPERM');
  let { ioreq_mfn, bufioreq_mfn } = server;
  const facts: Fact[] = [];
  if (ioreq_mfn < 0) {
    const count = server.handle_bufioreq === NO_BUFIOREQ ? 1 : 2;
    if (available(xen, dom) < count) return failed('ENOMEM');
    [ioreq_mfn = -1, bufioreq_mfn = -1] = allocateFrames(xen, count);
    facts.push({ type: 'dm.ioreq_pages_allocated', domid: dom, id, ioreq_mfn, bufioreq_mfn });
  }
  const frames: Mfn[] = [];
  for (let at = frame; at < frame + nr_frames; at++) {
    if (at > 1) return { ...failed('EINVAL'), facts };
    const mfn = at === 0 ? bufioreq_mfn : ioreq_mfn;
    if (mfn < 0) return { ...failed('ENOENT'), facts };
    frames.push(mfn);
  }
  return { ok: true, frames, facts };
}

/** Where Xen translates the caller's memory, the frames come to its own pages (set_foreign_p2m_entry()). */
function mapInto(xen: Xen, caller: DomId, dom: DomId, frames: readonly Mfn[], gfns: readonly number[]): Acquired {
  if (gfns.length < frames.length) return failed('EFAULT');
  const facts: Fact[] = [];
  const taken = new Set<number>();
  for (const [i, mfn] of frames.entries()) {
    const gfn = gfns[i]!;
    if (gfn < 0 || gfn >= UNPLACED || xen.p2m.slot(caller, gfn) !== undefined || taken.has(gfn))
      return failed(i > 0 ? 'EIO' : 'EPERM');
    taken.add(gfn);
    const old = xen.p2m.mfn(caller, gfn);
    if (old >= 0) facts.push({ type: 'p2m.moved', domid: caller, gfn, nr_pages: 1, to: UNPLACED + old });
    if (xen.p2m.isOnDemand(caller, gfn)) facts.push({ type: 'p2m.pod_cleared', domid: caller, gfn, nr_pages: 1 });
    facts.push({ type: 'p2m.slot_mapped', domid: caller, gfn, mfn, dom });
  }
  return { ok: true, frames, facts };
}
