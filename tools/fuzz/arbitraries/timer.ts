import * as fc from 'fast-check';
import { MS } from '../../../events/units.ts';
import { type Acts, act, someDomain } from './act.ts';

const numbers = fc.record({ domain: fc.nat(), vcpu: fc.nat(2), ms: fc.integer({ min: -2, max: 12 }), future: fc.boolean() });

export const timerActs: readonly Acts[] = [
  act(numbers, (host, { domain, vcpu, ms }) => [
    { type: 'timer.set_timer_op', domid: someDomain(host, domain), vcpu, timeout_ns: ms === 0 ? 0 : host.now + ms * MS },
  ]),
  act(numbers, (host, { domain, vcpu, ms, future }) => [
    { type: 'vcpu.set_singleshot_timer', domid: someDomain(host, domain), vcpu, timeout_abs_ns: host.now + ms * MS, future },
  ]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.stop_singleshot_timer', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, vcpu, ms }) => [
    { type: 'vcpu.set_periodic_timer', domid: someDomain(host, domain), vcpu, period_ns: ms * MS },
  ]),
  act(numbers, (host, { domain, vcpu, ms }) => {
    const domid = someDomain(host, domain);
    const mfn = host.xen.exists(domid) ? host.xen.grantFrameNumber(domid, 2 + (ms & 1)) : 0;
    return [{ type: 'vcpu.register_vcpu_info', domid, vcpu, current: 0, mfn, offset: (vcpu & 1) * 64 }];
  }),
  act(numbers, (host, { domain, vcpu, ms }) => [
    { type: 'vcpu.register_runstate_memory_area', domid: someDomain(host, domain), vcpu, addr: ms * 1000 },
    { type: 'vcpu.register_vcpu_time_memory_area', domid: someDomain(host, domain), vcpu, addr: ms * 1000 + 512 },
  ]),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.send_nmi', domid: someDomain(host, domain), vcpu }]),
  act(numbers, (host, { domain, ms }) => [
    { type: 'domctl.settimeoffset', domid: 0, domain: someDomain(host, domain), time_offset_seconds: ms * 3600 },
  ]),
  act(numbers, (host, { domain, vcpu, ms }) => {
    const domid = someDomain(host, domain);
    return [
      {
        type: 'domctl.settscinfo',
        domid: 0,
        domain: domid,
        tsc_mode: vcpu,
        elapsed_nsec: ms * MS,
        gtsc_khz: (ms & 3) * 1_000_000,
        incarnation: ms & 1,
      },
      { type: 'domctl.gettscinfo', domid: 0, domain: domid },
    ];
  }),
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.stop_periodic_timer', domid: someDomain(host, domain), vcpu }]),
  // The clock itself, which is nobody's command.
  act(numbers, (host, { ms }) => {
    host.advance(Math.max(0, ms) * MS);
    return `the clock moves to ${host.now}`;
  }),
];
