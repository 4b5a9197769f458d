import * as fc from 'fast-check';
import { type DomId, PAGE_SIZE } from '../../../events/units.ts';
import { GNTMAP, GNTTAB_NR_RESERVED_ENTRIES, GRANT_ENTRY_V2, GTF } from '../../../src/abi/grant-table.ts';
import { entryAt, entryFrame, entryOffset } from '../../../src/core/gnttab/entries.ts';
import { isPinned } from '../../../src/core/gnttab/state.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import { isV2 } from '../../../src/core/p2m/grant-frames.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

const SELF = 0x7ff0;

/** Few entries and few pages, so that mappings meet; entries from 8 on are lost when a table's version changes. */
const numbers = fc.record({
  domain: fc.nat(),
  other: fc.nat(),
  ref: fc.constantFrom(0, 1, 2, 8, 9),
  gfn: fc.nat(3),
  n: fc.nat(),
  readonly: fc.boolean(),
});

const { host_map, device_map, readonly, application_map, contains_pte } = GNTMAP;

/** Which parts of a mapping go, how, and whether by an address at which they are not. */
const anyWay = fc.record({
  host: fc.boolean(),
  device: fc.boolean(),
  replace: fc.boolean(),
  wrong: fc.constantFrom(0, 0, 8),
  n: fc.nat(3),
});
type Way = typeof anyWay extends fc.Arbitrary<infer W> ? W : never;

/**
 * `polite` guests leave alone what Xen writes: they change no entry that is in use, and raise no flags that say so. Then the status of
 * every entry is what its pins say.
 */
const acts = (polite: boolean): readonly Acts[] => [
  act(numbers, (host, { domain, other, ref, gfn, n, readonly }) => {
    const domid = aLiveDomain(host, domain);
    const flags = n % 6 === 0 ? n & 0x1ff : GTF.permit_access | (readonly ? GTF.readonly : 0);
    return writeEntry(host, polite, domid, ref, { flags, to: someDomain(host, other), gfn: n % 7 === 0 ? n & 0xffff : gfn });
  }),
  act(numbers, (host, { domain, other, ref, readonly }) => [
    { type: 'gnttab.map_grant_ref', domid: aLiveDomain(host, domain), dom: someDomain(host, other), ref, readonly },
  ]),
  // By whom the entry is for: what a backend does.
  act(numbers, (host, { other, ref, gfn, readonly, domain }) => {
    const dom = aLiveDomain(host, other);
    const domid = aLiveDomain(host, domain);
    writeEntry(host, polite, dom, ref, { flags: GTF.permit_access, to: domid, gfn });
    return [{ type: 'gnttab.map_grant_ref', domid, dom, ref, readonly }];
  }),
  act(numbers, (host, { other, ref, gfn, n, domain }) => {
    const dom = aLiveDomain(host, other);
    const domid = aLiveDomain(host, domain);
    if (n % 5 > 0) writeEntry(host, polite, dom, ref, { flags: GTF.permit_access, to: domid, gfn });
    const flags = pick(mapFlags, n)!;
    return [{ type: 'gnttab.map_grant_ref_at', domid, dom, ref, flags, host_addr: (1 + (n % 3)) * PAGE_SIZE, vcpu: 0 }];
  }),
  // By a PV domain whose page tables Xen knows: at an address of its, or in an entry of a table of its.
  act(numbers, (host, { other, ref, gfn, n, domain }) => {
    const domid = aDomainOnTables(host, domain);
    if (domid === undefined) return [];
    const dom = aLiveDomain(host, other);
    writeEntry(host, polite, dom, ref, { flags: GTF.permit_access, to: domid, gfn });
    const inEntry = n % 3 === 0;
    const table = host.xen.p2m.mfn(domid, 3);
    const host_addr = inEntry ? table * PAGE_SIZE + (n % 9) * 8 : (n % 9) * PAGE_SIZE;
    const flags = pick(mapFlags, n)! | (inEntry ? contains_pte : 0);
    const map: CoreCommand = { type: 'gnttab.map_grant_ref_at', domid, dom, ref, flags, host_addr, vcpu: 0 };
    const known = handlesOf(host).filter((at) => at.domid === domid);
    const old = pick(known, n);
    if (old === undefined || n % 4 > 0) return [map];
    const at = host.xen.gnttab.maptrack.of(domid)!.host_addr.at(old.handle);
    return [
      { type: 'gnttab.unmap_and_replace', domid, handle: old.handle, host_addr: at, new_addr: (n % 5) * PAGE_SIZE, vcpu: 0 },
      map,
    ];
  }),
  act(numbers, (host, { n }) => {
    const at = pick(handlesOf(host), n);
    return at ? [{ type: 'gnttab.unmap_grant_ref', ...at }] : [];
  }),
  // Of a mapping that is there, or of one that comes first.
  act(fc.record({ domain: fc.nat(), other: fc.nat(), ref: fc.constantFrom(0, 1, 8), way: anyWay }), (host, chosen) => {
    const { domain, other, ref, way } = chosen;
    const known = pick(handlesOf(host), other);
    if (known !== undefined && domain % 2 === 0) return [letGo(host, known, way)];
    const [domid, dom] = [aLiveDomain(host, domain >>> 1), aLiveDomain(host, other)];
    writeEntry(host, polite, dom, ref, { flags: GTF.permit_access, to: domid, gfn: way.n % 4 });
    const isHvm = host.xen.domain.of(0)!.hvm.at(domid) === 1;
    const flags = isHvm ? host_map : host_map | device_map;
    host.submit({ type: 'gnttab.map_grant_ref_at', domid, dom, ref, flags, host_addr: PAGE_SIZE, vcpu: 0 });
    const mapped = handlesOf(host).findLast((at) => at.domid === domid);
    return mapped === undefined ? [] : [letGo(host, mapped, way)];
  }),
  act(numbers, (host, { domain, other, ref, gfn, n }) => [
    copy(host, { domid: aLiveDomain(host, domain), dom: someDomain(host, other), ref, gfn, n }),
  ]),
  // By entries for parts of pages and for others' grants.
  act(numbers, (host, { domain, other, ref, gfn, n }) => {
    const domid = aLiveDomain(host, domain);
    const dom = aLiveDomain(host, other);
    const third = aLiveDomain(host, n);
    const flags = n % 3 === 0 ? GTF.transitive : GTF.permit_access | (n % 3 === 1 ? GTF.sub_page : 0);
    writeEntry(host, polite, third, ref ^ 1, { flags: GTF.permit_access | (n % 5 === 0 ? GTF.sub_page : 0), to: dom, gfn });
    writeEntry(host, polite, dom, ref, { flags, to: domid, gfn, trans_domid: third, gref: ref ^ 1 });
    return [copy(host, { domid, dom, ref, gfn, n })];
  }),
  act(numbers, (host, { domain, other, ref }) => [
    { type: 'gnttab.setup_table', domid: aLiveDomain(host, domain), dom: someDomain(host, other), nr_frames: ref % 5 },
  ]),
  act(numbers, (host, { domain, other }) => [
    { type: 'gnttab.query_size', domid: aLiveDomain(host, domain), dom: someDomain(host, other) },
  ]),
  act(numbers, (host, { other, ref, gfn }) => {
    const dom = someDomain(host, other);
    return polite && isInUse(host, dom, ref) ? [] : [{ type: 'gnttab.seed', domid: 0, dom, ref, gfn, backend: 0 }];
  }),
  // To the other version, mostly.
  act(numbers, (host, { domain, n }) => {
    const domid = aLiveDomain(host, domain);
    if (polite) forgetTransfers(host, domid);
    return [{ type: 'gnttab.set_version', domid, version: isV2(host.xen, domid) === n % 4 > 0 ? 1 : 2 }];
  }),
  act(numbers, (host, { domain, other, ref }) => {
    const [domid, dom] = [aLiveDomain(host, domain), someDomain(host, other)];
    return [
      { type: 'gnttab.get_version', domid, dom },
      { type: 'gnttab.get_status_frames', domid, dom, nr_frames: ref % 3 },
    ];
  }),
  // To a domain that waits for a page, mostly; its entry is right, mostly.
  act(numbers, (host, { domain, other, ref, gfn, n }) => {
    const domid = aLiveDomain(host, domain);
    const dom = n % 5 === 0 ? someDomain(host, other) : aLiveDomain(host, other);
    if (n % 6 > 0 && host.xen.exists(dom))
      writeEntry(host, polite, dom, ref, { flags: GTF.accept_transfer, to: domid, number: n % 4 === 0 ? gfn : 20 + gfn });
    return [{ type: 'gnttab.transfer', domid, mfn: host.xen.grantFrameNumber(domid, n % 7 === 0 ? n : gfn), dom, ref }];
  }),
  act(numbers, (host, { domain, ref, gfn }) => [
    { type: 'gnttab.swap_grant_ref', domid: aLiveDomain(host, domain), ref_a: ref, ref_b: gfn },
  ]),
  act(numbers, (host, { domain, other, gfn, n }) => {
    const mfn = host.xen.p2m.mfn(aLiveDomain(host, other), gfn);
    const dev_bus_addr = mfn * PAGE_SIZE + (n % 2);
    return [
      { type: 'gnttab.cache_flush', domid: aLiveDomain(host, domain), dev_bus_addr, offset: n % 3, length: n % 5, op: n % 4 },
    ];
  }),
];
function aDomainOnTables(host: CoreHost, index: number): DomId | undefined {
  const all = [...host.xen.domids()].filter((domid) => host.xen.isAlive(domid) && host.xen.mm.baseptr(domid, 0, false) >= 0);
  return pick(all, index);
}
/** One way to let go of a mapping. */
function letGo(host: CoreHost, { domid, handle }: { domid: DomId; handle: number }, way: Way): CoreCommand {
  const maps = host.xen.gnttab.maptrack.of(domid)!;
  const host_addr = way.host ? maps.host_addr.at(handle) + way.wrong : 0;
  const dev_bus_addr = way.device ? maps.mfn.at(handle) * PAGE_SIZE + way.wrong : 0;
  return way.replace
    ? { type: 'gnttab.unmap_and_replace', domid, handle, host_addr, new_addr: way.n === 0 ? 0 : PAGE_SIZE, vcpu: 0 }
    : { type: 'gnttab.unmap_grant_ref_at', domid, handle, host_addr, dev_bus_addr, vcpu: 0 };
}

const mapFlags: readonly number[] = [
  host_map,
  host_map | readonly,
  device_map,
  device_map | readonly,
  host_map | device_map,
  host_map | device_map | readonly,
  host_map | application_map | contains_pte,
  host_map | device_map | 0x10000,
  readonly,
  contains_pte,
];

/** Every mapping that there is. */
const handlesOf = (host: CoreHost): { domid: DomId; handle: number }[] => {
  const { maptrack } = host.xen.gnttab;
  return [...maptrack.ids()].flatMap((domid) => [...maptrack.inUse(domid)].map(([handle]) => ({ domid, handle })));
};

/** Between an entry and a page of one's own, two entries, or two pages. */
function copy(
  host: CoreHost,
  { domid, dom, ref, gfn, n }: { domid: DomId; dom: DomId; ref: number; gfn: number; n: number },
): CoreCommand {
  const isFrom = n % 3 !== 0;
  const isTo = n % 3 === 0 || n % 5 === 0;
  const own = host.xen.grantFrameNumber(domid, gfn);
  return {
    type: 'gnttab.copy',
    domid,
    source_dom: isFrom ? dom : SELF,
    source_ref: isFrom ? ref : own,
    source_is_ref: isFrom,
    source_offset: n % 11 === 0 ? (n >>> 2) % 5000 : n % 64,
    dest_dom: isTo ? dom : SELF,
    dest_ref: isTo ? ref : own,
    dest_is_ref: isTo,
    dest_offset: n % 13 === 0 ? (n >>> 4) % 4200 : n % 32,
    len: n % 97,
  };
}

interface EntryWritten {
  readonly flags: number;
  readonly to: DomId;
  /** A page of the domain's own; or `number`, which stands in the entry as it is. */
  readonly gfn?: number;
  readonly number?: number;
  readonly trans_domid?: DomId;
  readonly gref?: number;
}

/** Where an entry of version 2 would say that it is being read, one of version 1 says that its page has come. */
function forgetTransfers(host: CoreHost, domid: DomId): void {
  for (let ref = 0; ref < GNTTAB_NR_RESERVED_ENTRIES; ref++) {
    const { mfn, at } = entryAt(host.xen, domid, ref)!;
    if ((host.memory.get16(mfn, at) & GTF.type_mask) === GTF.accept_transfer) host.memory.put16(mfn, at, 0);
  }
}

const isInUse = (host: CoreHost, dom: DomId, ref: number): boolean => {
  const active = host.xen.gnttab.active.of(dom);
  return active !== undefined && isPinned(active, ref);
};

/** What a guest does before it tells anybody a reference, in the form that its table has. */
function writeEntry(host: CoreHost, polite: boolean, domid: DomId, ref: number, entry: EntryWritten): string {
  if (polite && isInUse(host, domid, ref)) return '-';
  const flags = polite ? entry.flags & ~(GTF.reading | GTF.writing) : entry.flags;
  const { to, gfn = 0, number = host.xen.grantFrameNumber(domid, gfn), trans_domid = 0, gref = 0 } = entry;
  const { memory } = host;
  const table = entryFrame(host.xen, domid, ref);
  if (table < 0) return '-';
  const v2 = isV2(host.xen, domid);
  const at = entryOffset(ref, v2);
  memory.put16(table, at, flags);
  memory.put16(table, at + 2, to);
  if (!v2) memory.put32(table, at + 4, number);
  else if ((flags & GTF.type_mask) === GTF.transitive) {
    memory.put16(table, at + GRANT_ENTRY_V2.trans_domid, trans_domid);
    memory.put32(table, at + GRANT_ENTRY_V2.gref, gref);
  } else {
    memory.put16(table, at + GRANT_ENTRY_V2.page_off, 8);
    memory.put16(table, at + GRANT_ENTRY_V2.length, 100);
    memory.put32(table, at + GRANT_ENTRY_V2.frame, number);
    memory.put32(table, at + GRANT_ENTRY_V2.frame + 4, number < 0 ? 0xffffffff : 0);
  }
  return `d${domid} writes entry ${ref}: flags ${flags}, for d${to}, page ${number}`;
}

export const gnttabActs = acts(false);
export const politeGnttabActs = acts(true);
