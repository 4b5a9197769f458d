// Grant tables by hand: commands with what tests of them have in common, and what a guest writes into an entry of version 1.
import { entryFrame, entryOffset } from '../../src/core/gnttab/decide.ts';
import { GTF_permit_access } from '../../src/core/gnttab/state.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import type { CoreHost } from './core-host.ts';

export const map = (domid: number, dom: number, ref: number, readonly = false): CoreCommand => ({
  type: 'gnttab.map_grant_ref',
  domid,
  dom,
  ref,
  readonly,
});
export const unmap = (domid: number, handle: number): CoreCommand => ({ type: 'gnttab.unmap_grant_ref', domid, handle });
export const getVersion = (domid: number, dom: number): CoreCommand => ({ type: 'gnttab.get_version', domid, dom });
export const setVersion = (domid: number, version: number): CoreCommand => ({ type: 'gnttab.set_version', domid, version });
export const statusFrames = (domid: number, dom: number, nr_frames: number): CoreCommand => ({
  type: 'gnttab.get_status_frames',
  domid,
  dom,
  nr_frames,
});
export const setup = (domid: number, dom: number, nr_frames: number): CoreCommand => ({
  type: 'gnttab.setup_table',
  domid,
  dom,
  nr_frames,
});
export const swap = (domid: number, ref_a: number, ref_b: number): CoreCommand => ({
  type: 'gnttab.swap_grant_ref',
  domid,
  ref_a,
  ref_b,
});

/** What a guest writes into entry `ref`, in a table of version 1. */
export function grant(
  host: CoreHost,
  dom: number,
  ref: number,
  { to = 0, gfn = 1, flags = GTF_permit_access }: { to?: number; gfn?: number; flags?: number } = {},
): void {
  const table = entryFrame(host.xen, dom, ref);
  host.memory.put16(table, entryOffset(ref), flags);
  host.memory.put16(table, entryOffset(ref) + 2, to);
  host.memory.put32(table, entryOffset(ref) + 4, host.xen.grantFrameNumber(dom, gfn));
}
