import * as fc from 'fast-check';
import type { DomId } from '../../../events/units.ts';
import { MS } from '../../../events/units.ts';
import type { CoreHost } from '../core-host.ts';
import { type Acts, act, pick, someDomain } from './act.ts';

const numbers = fc.record({ domain: fc.nat(), vcpu: fc.nat(2), n: fc.nat() });

/** vCPUs, and the pCPUs that they run on. */
export const schedActs: readonly Acts[] = [
  act(numbers, (_, { n }) => [{ type: 'sched.schedule', cpu: n % 3 }]),
  act(numbers, () => [
    { type: 'sched.schedule', cpu: 0 },
    { type: 'sched.schedule', cpu: 1 },
  ]),
  act(numbers, (host, { n }) => oneRunning(host, n, 'sched.block')),
  act(numbers, (host, { n }) => oneRunning(host, n, 'sched.yield')),
  act(numbers, (host, { n }) => oneRunning(host, n, 'sched.preempt')),
  act(numbers, (host, { domain, vcpu, n }) => [{ type: 'sched.charge', domid: someDomain(host, domain), vcpu, ran_ns: n % MS }]),
  act(numbers, (_, { vcpu }) => [{ type: 'sched.detach', domid: 0, vcpu }]),
  act(numbers, (host, { domain, vcpu, n }) => [
    {
      type: 'domctl.setvcpuaffinity',
      domid: 0,
      domain: someDomain(host, domain),
      vcpu,
      flags: pick([1, 2, 3, 7, 0], n)!,
      cpumap_hard: pick([[0], [1], [0, 1], [2], [-1]], n)!,
      cpumap_soft: pick([[1], [0], [0, 1], []], n >> 2)!,
    },
  ]),
  act(numbers, (host, { domain, n }) => [
    {
      type: 'domctl.scheduler_op',
      domid: 0,
      domain: someDomain(host, domain),
      sched_id: pick([6, 6, 5, 8, 7, 9], n >> 3)!,
      cmd: n % 4,
      weight: pick([0, 1, 128, 256, 512, 65535], n)!,
      cap: pick([0, 0, 25, 50, 100, 150, 65535], n >> 2)!,
      period: pick([0, 10_000, 20_000, 5], n >> 1)!,
      budget: pick([0, 4000, 20_000, 9], n >> 2)!,
      vcpus: pick([[], [0, 10_000, 4000, 1], [1, 8000, 2000, 0], [0, 5, 5, 0], [9, 10_000, 4000, 0]], n)!,
    },
  ]),
  act(numbers, (host, { domain, vcpu }) => {
    const domid = someDomain(host, domain);
    return [
      { type: 'vcpu.initialise', domid, vcpu },
      { type: 'vcpu.up', domid, vcpu },
    ];
  }),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.up', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.down', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.is_up', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.get_runstate_info', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'domctl.setvcpucontext', domid: 0, domain: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'domctl.getvcpuinfo', domid: 0, domain: someDomain(host, domain), vcpu }]),
];

const oneRunning = (host: CoreHost, n: number, type: 'sched.block' | 'sched.yield' | 'sched.preempt') => {
  const { vcpu: vcpus } = host.xen.sched;
  const running: { domid: DomId; vcpu: number }[] = [];
  for (const domid of vcpus.ids())
    for (const [vcpu, { runstate }] of vcpus.inUse(domid)) if (runstate === 'running') running.push({ domid, vcpu });
  const at = pick(running, n);
  return at ? [{ type, ...at }] : [];
};
