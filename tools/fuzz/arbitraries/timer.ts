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
  act(numbers, (host, { domain, vcpu }) => [{ type: 'vcpu.stop_periodic_timer', domid: someDomain(host, domain), vcpu }]),
  // The clock itself, which is nobody's command.
  act(numbers, (host, { ms }) => {
    host.advance(Math.max(0, ms) * MS);
    return `the clock moves to ${host.now}`;
  }),
];
