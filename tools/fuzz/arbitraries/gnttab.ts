import * as fc from 'fast-check';
import type { DomId } from '../../../events/units.ts';
import { entryFrame, entryOffset } from '../../../src/core/gnttab/decide.ts';
import { GTF_permit_access, GTF_readonly } from '../../../src/core/gnttab/state.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

/** Few entries and few pages, so that mappings meet. */
const numbers = fc.record({
  domain: fc.nat(),
  other: fc.nat(),
  ref: fc.nat(3),
  gfn: fc.nat(3),
  n: fc.nat(),
  readonly: fc.boolean(),
});

export const gnttabActs: readonly Acts[] = [
  act(numbers, (host, { domain, other, ref, gfn, n, readonly }) => {
    const domid = aLiveDomain(host, domain);
    const flags = n % 6 === 0 ? n & 0x1ff : GTF_permit_access | (readonly ? GTF_readonly : 0);
    return writeEntry(host, domid, ref, { flags, to: someDomain(host, other), gfn: n % 7 === 0 ? n & 0xffff : gfn });
  }),
  act(numbers, (host, { domain, other, ref, readonly }) => [
    { type: 'gnttab.map_grant_ref', domid: aLiveDomain(host, domain), dom: someDomain(host, other), ref, readonly },
  ]),
  // By whom the entry is for: what a backend does.
  act(numbers, (host, { other, ref, gfn, readonly, domain }) => {
    const dom = aLiveDomain(host, other);
    const domid = aLiveDomain(host, domain);
    writeEntry(host, dom, ref, { flags: GTF_permit_access, to: domid, gfn });
    return [{ type: 'gnttab.map_grant_ref', domid, dom, ref, readonly }];
  }),
  act(numbers, (host, { n }) => {
    const { maptrack } = host.xen.gnttab;
    const handles = [...maptrack.ids()].flatMap((domid) => [...maptrack.inUse(domid)].map(([handle]) => ({ domid, handle })));
    const at = pick(handles, n);
    return at ? [{ type: 'gnttab.unmap_grant_ref', ...at }] : [];
  }),
  act(numbers, (host, { domain, other, ref, gfn, n }) => {
    const domid = aLiveDomain(host, domain);
    const source_is_ref = (n & 1) === 0;
    const dest_is_ref = (n & 2) === 0;
    const self = 0x7ff0;
    return [
      {
        type: 'gnttab.copy',
        domid,
        source_dom: source_is_ref ? someDomain(host, other) : self,
        source_ref: ref,
        source_is_ref,
        source_offset: (n >>> 2) % 5000,
        dest_dom: dest_is_ref ? someDomain(host, n >>> 3) : self,
        dest_ref: gfn,
        dest_is_ref,
        dest_offset: (n >>> 4) % 4000,
        len: n % 97,
      },
    ];
  }),
  act(numbers, (host, { domain, other, ref }) => [
    { type: 'gnttab.setup_table', domid: aLiveDomain(host, domain), dom: someDomain(host, other), nr_frames: ref },
  ]),
  act(numbers, (host, { domain, other }) => [
    { type: 'gnttab.query_size', domid: aLiveDomain(host, domain), dom: someDomain(host, other) },
  ]),
  act(numbers, (host, { other, ref, gfn }) => [
    { type: 'gnttab.seed', domid: 0, dom: someDomain(host, other), ref, gfn, backend: 0 },
  ]),
];

/** What a guest does before it tells anybody a reference. */
function writeEntry(
  host: CoreHost,
  domid: DomId,
  ref: number,
  { flags, to, gfn }: { flags: number; to: DomId; gfn: number },
): string {
  const table = entryFrame(host.xen, domid, ref);
  if (table < 0) return '-';
  const at = entryOffset(ref);
  host.memory.put16(table, at, flags);
  host.memory.put16(table, at + 2, to);
  host.memory.put32(table, at + 4, host.xen.grantFrameNumber(domid, gfn));
  return `d${domid} writes entry ${ref}: flags ${flags}, for d${to}, gfn ${gfn}`;
}
