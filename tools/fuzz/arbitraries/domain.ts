import * as fc from 'fast-check';
import type { DomId } from '../../../events/units.ts';
import { pvDomain, pvhDom0, pvhDomain } from '../../../src/abi/domctl.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import { type Acts, act, pick, someDomain } from './act.ts';

const HANDLE = '00112233-4455-6677-8899-aabbccddeeff';

export interface Build {
  readonly vcpus: number;
  readonly pages: number;
  readonly hvm: boolean;
  readonly caller?: DomId;
  readonly ports?: number;
  /** Of its addresses, in bits. */
  readonly size?: number;
  /** The highest version of its grant table. */
  readonly grants?: number;
}

/** All that it takes to have a domain running, in a toolstack's order. `domain` is the id it will have. */
export const build = (
  domain: DomId,
  { vcpus, pages, hvm, caller = 0, ports = -1, size = 64, grants = 1 }: Build,
): CoreCommand[] => [
  {
    type: 'domctl.createdomain',
    domid: caller,
    domain,
    ssidref: 0,
    handle: HANDLE,
    max_vcpus: vcpus,
    max_evtchn_port: ports,
    max_grant_frames: 4,
    max_maptrack_frames: 1,
    ...(hvm ? (domain === 0 ? pvhDom0 : pvhDomain) : pvDomain),
    grant_opts: grants,
  },
  ...(size === 64 ? [] : [{ type: 'domctl.set_address_size', domid: caller, domain, size } as const]),
  { type: 'domctl.max_vcpus', domid: caller, domain, max: vcpus },
  { type: 'domctl.max_mem', domid: caller, domain, max_memkb: (pages + 4) * 4 },
  { type: 'memory.populate_physmap', domid: caller, dom: domain, gfn: 0, nr_pages: pages },
  { type: 'domctl.setvcpucontext', domid: caller, domain, vcpu: 0 },
  { type: 'domctl.unpausedomain', domid: caller, domain },
];

const domains = fc.record({ domain: fc.nat(), n: fc.nat(5) });

export const domainActs: readonly Acts[] = [
  act(
    fc.record({
      vcpus: fc.integer({ min: 1, max: 3 }),
      pages: fc.integer({ min: 1, max: 12 }),
      hvm: fc.boolean(),
      ports: fc.constantFrom(-1, 4),
      size: fc.constantFrom(64, 32),
      grants: fc.constantFrom(1, 2),
    }),
    (host, numbers) => {
      let domain = 1;
      while (host.xen.exists(domain)) domain++;
      return domain > 6 ? [] : build(domain, numbers);
    },
  ),
  // Made, and left at that.
  act(fc.nat(6), (_, domain) => build(domain + 1, { vcpus: 2, pages: 2, hvm: false }).slice(0, 1)),
  act(domains, (host, { domain }) => [{ type: 'domctl.max_vcpus', domid: 0, domain: someDomain(host, domain), max: 2 }]),
  // Once for its end, or until then: what others see of a domain on its way out is half of the fun.
  act(fc.record({ domain: fc.nat(), calls: fc.constantFrom(1, 2, 3, 20) }), (host, { domain, calls }) =>
    Array.from({ length: calls }, (): CoreCommand => ({ type: 'domctl.destroydomain', domid: 0, domain: victim(domain) })).slice(
      0,
      host.xen.exists(victim(domain)) ? calls : 1,
    ),
  ),
  act(domains, (host, { domain }) => [{ type: 'domctl.pausedomain', domid: 0, domain: someDomain(host, domain) }]),
  act(domains, (host, { domain }) => [{ type: 'domctl.unpausedomain', domid: 0, domain: someDomain(host, domain) }]),
  act(domains, (host, { domain }) => [{ type: 'domctl.getdomaininfo', domid: 0, domain: someDomain(host, domain) }]),
  act(domains, (host, { domain, n }) => {
    const reason = pick(['poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset'] as const, n)!;
    const domid = someDomain(host, domain);
    // Few runs survive dom0 for long.
    return domid === 0 && n > 0 ? [] : [{ type: 'sched.shutdown', domid, reason }];
  }),
];

/** Ids are small and given out again: dom0 among them, which refuses. */
const victim = (index: number): DomId => index % 7;
