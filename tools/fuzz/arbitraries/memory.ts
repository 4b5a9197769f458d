import * as fc from 'fast-check';
import { type Acts, act, aLiveDomain, someDomain } from './act.ts';

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
  // A guest's own stores, in the first of its pages.
  act(numbers, (host, { domain, gfn, nr_pages }) => {
    const domid = aLiveDomain(host, domain);
    const mfn = host.xen.p2m.mfn(domid, gfn % 4);
    if (mfn < 0) return '-';
    host.memory.put8(mfn, gfn, nr_pages);
    return `d${domid} writes ${nr_pages} to byte ${gfn} of gfn ${gfn % 4}`;
  }),
];
