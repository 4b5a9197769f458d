import * as fc from 'fast-check';
import { XENMAPSPACE, XENMEMF } from '../../../src/abi/memory.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

const numbers = fc.record({ domain: fc.nat(), dom: fc.nat(), gfn: fc.nat(20), nr_pages: fc.integer({ min: 0, max: 8 }) });

export const memoryActs: readonly Acts[] = [
  act(numbers, (host, { dom, gfn, nr_pages }) => [
    { type: 'memory.populate_physmap', domid: 0, dom: someDomain(host, dom), gfn, nr_pages },
  ]),
  act(numbers, (host, { domain, gfn, nr_pages }) => [
    { type: 'memory.decrease_reservation', domid: aLiveDomain(host, domain), dom: 0x7ff0, gfn, nr_pages },
  ]),
  act(numbers, (host, { dom, nr_pages, gfn }) => [
    {
      type: 'memory.increase_reservation',
      domid: 0,
      dom: someDomain(host, dom),
      nr_extents: nr_pages,
      extent_order: gfn % 3,
      mem_flags: 0,
    },
  ]),
  act(numbers, (host, { dom, nr_pages, gfn }) => {
    const gpfns = Array.from({ length: nr_pages % 4 }, (_, i) => gfn + i);
    return [
      {
        type: 'memory.populate_physmap_extents',
        domid: 0,
        dom: someDomain(host, dom),
        gpfns,
        extent_order: gfn % 2,
        mem_flags: 0,
      },
    ];
  }),
  act(numbers, (host, { dom, nr_pages, gfn }) => {
    const domain = aLiveDomain(host, dom);
    const gmfns = Array.from({ length: nr_pages % 4 }, (_, i) => host.xen.grantFrameNumber(domain, (gfn % 6) + i));
    return [{ type: 'memory.decrease_reservation_extents', domid: 0, dom: domain, gmfns, extent_order: 0 }];
  }),
  act(numbers, (host, { dom, nr_pages }) => [
    { type: 'memory.claim_pages', domid: 0, dom: someDomain(host, dom), pages: nr_pages * 2, extent_order: 0 },
  ]),
  act(numbers, (host, { dom, nr_pages }) => [
    { type: 'domctl.max_mem', domid: 0, domain: someDomain(host, dom), max_memkb: nr_pages * 16 },
  ]),
  act(numbers, (host, { domain, dom }) => [
    { type: 'memory.current_reservation', domid: aLiveDomain(host, domain), dom: someDomain(host, dom) },
  ]),
  act(numbers, (host, { domain, dom }) => [
    { type: 'memory.maximum_reservation', domid: aLiveDomain(host, domain), dom: someDomain(host, dom) },
  ]),
  act(numbers, (host, { domain, gfn, nr_pages }) => {
    const domid = aLiveDomain(host, domain);
    const count = 2 * (1 + (nr_pages % 2));
    const out_order = gfn % 2;
    const gmfns = Array.from({ length: count }, (_, i) => host.xen.grantFrameNumber(domid, (gfn % 5) + i));
    const gpfns = Array.from({ length: count >> out_order }, (_, i) => (gfn % 7) + i * 2);
    const base = { domid, in_dom: 0x7ff0, out_dom: 0x7ff0, in_order: 0, mem_flags: 0, nr_exchanged: 0 };
    return [{ type: 'memory.exchange', ...base, gmfns, out_order, gpfns }];
  }),
  // The physmaps of those who have one.
  act(numbers, (host, { dom, gfn, nr_pages }) => [
    {
      type: 'memory.add_to_physmap',
      domid: 0,
      dom: someDomain(host, dom),
      space: nr_pages % 4,
      idx: [0, gfn % 5, gfn, 0][nr_pages % 4]!,
      gpfn: (gfn * 7) % 20,
    },
  ]),
  act(numbers, (host, { dom, gfn, nr_pages }) =>
    Array.from({ length: nr_pages }, (_, start) => ({
      type: 'memory.add_to_physmap_range',
      domid: 0,
      dom: someDomain(host, dom),
      idx: gfn % 6,
      gpfn: gfn,
      size: nr_pages,
      start,
    })),
  ),
  act(numbers, (host, { domain, dom, gfn, nr_pages }) => {
    const foreign = someDomain(host, domain);
    const idx = host.xen.grantFrameNumber(foreign, gfn % 6);
    const space = nr_pages % 2 === 0 ? XENMAPSPACE.gmfn_foreign : XENMAPSPACE.gmfn;
    return [{ type: 'memory.add_to_physmap_batch', domid: 0, dom: someDomain(host, dom), space, u: foreign, idx, gpfn: gfn }];
  }),
  act(numbers, (host, { dom, gfn }) => {
    const domain = someDomain(host, dom);
    const slots = host.xen.p2m.slotsOf(domain);
    const gpfn = slots.length > 0 && gfn % 2 === 0 ? pick(slots, gfn)!.gfn : gfn;
    return [{ type: 'memory.remove_from_physmap', domid: 0, dom: domain, gpfn }];
  }),
  act(numbers, (host, { dom, gfn, nr_pages }) => [
    {
      type: 'memory.acquire_resource',
      domid: 0,
      dom: someDomain(host, dom),
      resource: 1,
      id: 0,
      frame: gfn % 3,
      nr_frames: nr_pages % 4,
      size: nr_pages === 0,
      gfns: [gfn, gfn + 1, gfn + 2],
    },
  ]),
  // Pages on demand: marked, given a cache, touched.
  act(numbers, (host, { dom, gfn, nr_pages }) => {
    const domain = someDomain(host, dom);
    const gpfns = Array.from({ length: nr_pages }, (_, i) => 6 + ((gfn + i) % 12));
    const mem_flags = XENMEMF.populate_on_demand;
    const target_pages = (host.xen.exists(domain) ? host.xen.domain.of(0)!.tot_pages.at(domain) : 0) + (gfn % 4);
    return [
      { type: 'memory.populate_physmap_extents', domid: 0, dom: domain, gpfns, extent_order: 0, mem_flags },
      { type: 'memory.set_pod_target', domid: 0, dom: domain, target_pages },
    ];
  }),
  act(numbers, (host, { domain, gfn }) => {
    const domid = aLiveDomain(host, domain);
    const pod = host.xen.p2m.pod(domid);
    return [{ type: 'memory.pod_demand_populate', domid, gfn: pod.length > 0 && gfn < 18 ? pick(pod, gfn)!.gfn : gfn }];
  }),
  act(numbers, (host, { domain, nr_pages }) => {
    const domid = aLiveDomain(host, domain);
    return [
      { type: 'memory.set_memory_map', domid: 0, dom: domid, nr_entries: nr_pages, entries: new Uint8Array(60).fill(nr_pages) },
      { type: 'memory.memory_map', domid, nr_entries: 2 },
    ];
  }),
  // A guest's own stores, in the first of its pages.
  act(numbers, (host, { domain, gfn, nr_pages }) => {
    const domid = aLiveDomain(host, domain);
    const mfn = host.xen.p2m.mfn(domid, gfn % 4);
    // A processor does not let it write into its page tables.
    if (mfn < 0 || host.xen.mm.isProtected(mfn)) return '-';
    host.memory.put8(mfn, gfn, nr_pages);
    return `d${domid} writes ${nr_pages} to byte ${gfn} of gfn ${gfn % 4}`;
  }),
];
