import * as fc from 'fast-check';
import type { DomId, Port } from '../../../events/units.ts';
import { takeQueues } from '../../../src/core/evtchn/fifo-memory.ts';
import { maskOffset, takePending, vcpuInfo } from '../../../src/core/evtchn/pending.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, aLiveDomain, pick, someDomain } from './act.ts';

const numbers = fc.record({ domain: fc.nat(), other: fc.nat(), n: fc.nat() });

export const evtchnActs: readonly Acts[] = [
  act(numbers, (host, { domain, other, n }) => {
    const domid = aLiveDomain(host, domain);
    return [
      {
        type: 'evtchn.alloc_unbound',
        domid,
        dom: n % 4 === 0 ? someDomain(host, n) : domid,
        remote_dom: someDomain(host, other),
      },
    ];
  }),
  act(numbers, (host, { domain, n }) => {
    const waiting = open(host).filter(({ state }) => state === 'unbound');
    const to = pick(waiting, n);
    if (!to) return [];
    // Mostly by whom it waits for.
    const domid = n % 5 === 0 ? aLiveDomain(host, domain) : to.remote_dom;
    return [{ type: 'evtchn.bind_interdomain', domid, remote_dom: to.domid, remote_port: to.port }];
  }),
  act(numbers, (host, { domain, other, n }) => [
    { type: 'evtchn.bind_virq', domid: aLiveDomain(host, domain), virq: pick([0, 1, 3, 7, 13, 24], n)!, vcpu: other % 3 },
  ]),
  act(numbers, (host, { domain, n }) => [{ type: 'evtchn.bind_ipi', domid: aLiveDomain(host, domain), vcpu: n % 3 }]),
  act(numbers, (host, { n }) => one(host, n, 'evtchn.close')),
  act(numbers, (host, { n }) => one(host, n, 'evtchn.send')),
  act(numbers, (host, { n }) => one(host, n, 'evtchn.unmask')),
  act(numbers, (host, { domain, other, n }) => [
    { type: 'evtchn.status', domid: aLiveDomain(host, domain), dom: someDomain(host, other), port: n % 70 },
  ]),
  act(numbers, (host, { domain, other, n }) => {
    const domid = aLiveDomain(host, domain);
    const control_gfn = host.xen.grantFrameNumber(domid, n % 3);
    return [{ type: 'evtchn.init_control', domid, control_gfn, offset: (other % 4) * 8, vcpu: other % 3 }];
  }),
  act(numbers, (host, { domain, n }) => {
    const domid = aLiveDomain(host, domain);
    return [{ type: 'evtchn.expand_array', domid, array_gfn: host.xen.grantFrameNumber(domid, n % 4) }];
  }),
  act(numbers, (host, { other, n }) => {
    const at = pick(open(host), n);
    return at ? [{ type: 'evtchn.set_priority', domid: at.domid, port: at.port, priority: other % 17 }] : [];
  }),
  act(numbers, (host, { other, n }) => {
    const at = pick(open(host), n);
    return at ? [{ type: 'evtchn.bind_vcpu', domid: at.domid, port: at.port, vcpu: other % 3 }] : [];
  }),
  act(numbers, (host, { domain, other, n }) => {
    const ports = open(host).flatMap(({ domid, port }) => (domid === domain % 3 ? [port] : []));
    return [{ type: 'sched.poll', domid: domain % 3, vcpu: other % 3, ports: ports.slice(0, n % 3), timeout_ns: n % 5000 }];
  }),
  // What waits in event words, the guest takes off its queues.
  act(numbers, (host, { domain, n }) => {
    const domid = aLiveDomain(host, domain);
    if (!host.xen.evtchn.isFifo(domid)) return '-';
    return `d${domid}v${n % 3} takes off ${takeQueues(host.xen, host.memory, domid, n % 3).join(' ')}`;
  }),
  // The guest's half: it masks ports, takes what is pending, and forgets to be careful.
  act(numbers, (host, { n }) => {
    const at = pick(open(host), n);
    if (!at) return '-';
    const page = host.xen.sharedInfo(at.domid);
    const word = maskOffset(host.xen, at.domid) + (at.port >>> 5) * 4;
    host.memory.put32(page, word, host.memory.get32(page, word) ^ (1 << (at.port & 31)));
    return `d${at.domid} turns the mask of port ${at.port}`;
  }),
  act(numbers, (host, { domain, n }) => {
    const domid = aLiveDomain(host, domain);
    return `d${domid}v${n % 3} takes ${takePending(host.xen, host.memory, domid, n % 3).join(' ')}`;
  }),
  act(numbers, (host, { domain, other, n }) => {
    const domid = aLiveDomain(host, domain);
    host.memory.put8(host.xen.sharedInfo(domid), vcpuInfo(other % 3) + (n % 16), n & 0xff);
    return `d${domid} writes ${n & 0xff} into byte ${n % 16} of vcpu_info ${other % 3}`;
  }),
];

function open(host: CoreHost): { domid: DomId; port: Port; state: string; remote_dom: DomId }[] {
  const { ports } = host.xen.evtchn;
  return [...ports.ids()].flatMap((domid) => [...ports.inUse(domid)].map(([port, row]) => ({ domid, port, ...row })));
}

const one = (host: CoreHost, n: number, type: 'evtchn.close' | 'evtchn.send' | 'evtchn.unmask') => {
  const at = pick(open(host), n);
  return at ? [{ type, domid: at.domid, port: at.port }] : [];
};
