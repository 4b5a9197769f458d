import { describe, expect, test } from 'vitest';
import { END_OF_TIME, MS } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { VIRQ } from '../../abi/virq.ts';
import type { CoreCommand } from '../index.ts';

const NOW = 5 * MS;
const set = (timeout_ns: number, domid = 1, vcpu = 0): CoreCommand => ({ type: 'timer.set_timer_op', domid, vcpu, timeout_ns });
const single = (timeout_abs_ns: number, future = false, vcpu = 0): CoreCommand => ({
  type: 'vcpu.set_singleshot_timer',
  domid: 1,
  vcpu,
  timeout_abs_ns,
  future,
});
const periodic = (period_ns: number): CoreCommand => ({ type: 'vcpu.set_periodic_timer', domid: 1, vcpu: 0, period_ns });
const expire = (domid: number, vcpu: number, kind: 'singleshot' | 'periodic'): CoreCommand => ({
  type: 'timer.expire',
  domid,
  vcpu,
  kind,
});

const at = (ns: number): CoreHost => {
  const host = bootedHost();
  host.now = ns;
  return host;
};

test.each<[string, CoreCommand[], CoreCommand, unknown, number | null]>([
  ['a timeout', [], set(7 * MS), {}, 7 * MS],
  ['... in the past is due at once', [], set(1), {}, 1],
  ['... of 0 stops', [set(7 * MS)], set(0), {}, null],
  ['... below 0 is 100 ms', [], set(-1), {}, NOW + 100 * MS],
  ['... far away is', [], set(NOW + 2 ** 50 - 1), {}, NOW + 2 ** 50 - 1],
  ['... too far is 100 ms', [], set(NOW + 2 ** 50), {}, NOW + 100 * MS],
  ['... of no vCPU', [], set(7 * MS, 1, 1), 'ENOENT', null],
  ['... of nobody', [], set(7 * MS, 77), 'ESRCH', null],
  ['singleshot', [], single(7 * MS), {}, 7 * MS],
  ['... takes the place of what was set', [set(6 * MS)], single(7 * MS), {}, 7 * MS],
  ['... in the past has fired', [set(7 * MS)], single(NOW - 1), {}, null],
  ['... in the past with "future" has, too', [], single(NOW - 1, true), {}, null],
  ['... now is due', [], single(NOW, true), {}, NOW],
  ['... stops', [set(7 * MS)], { type: 'vcpu.stop_singleshot_timer', domid: 1, vcpu: 0 }, {}, null],
  ['... of no vCPU', [], single(7 * MS, false, 3), 'ENOENT', null],
  ['periodic', [], periodic(2 * MS), {}, NOW + 2 * MS],
  ['... of a millisecond at least', [], periodic(MS - 1), 'EINVAL', null],
  ['... within the end of time', [], periodic(END_OF_TIME), 'EINVAL', null],
  ['... stops', [periodic(2 * MS)], { type: 'vcpu.stop_periodic_timer', domid: 1, vcpu: 0 }, {}, null],
  ['the earlier of both is next', [periodic(9 * MS)], set(7 * MS), {}, 7 * MS],
  ['what is not due does not expire', [set(7 * MS)], expire(1, 0, 'singleshot'), 'EINVAL', 7 * MS],
  ['what is not armed does not', [], expire(1, 0, 'periodic'), 'EINVAL', null],
  ['what is due does', [set(NOW)], expire(1, 0, 'singleshot'), {}, null],
])('%s', (_, before, command, expected, next) => {
  const host = at(NOW).prepare(...before);
  expect(host.answer(command)).toEqual(expected);
  expect(host.xen.timers.next()?.deadline_ns ?? null).toBe(next);
});

describe('firing', () => {
  test('timers fire in the order of their deadlines, then of domain and vCPU', () => {
    const host = bootedHost().prepare(set(3 * MS, 2, 1), set(3 * MS, 1), set(2 * MS, 2, 2), set(3 * MS, 2, 0));
    const first = host.steps.length;
    host.advance(3 * MS);
    const fired = host.steps.slice(first).map(({ command, time }) => 'vcpu' in command && [command.domid, command.vcpu, time]);
    expect(fired).toEqual([
      [2, 2, 2 * MS],
      [1, 0, 3 * MS],
      [2, 0, 3 * MS],
      [2, 1, 3 * MS],
    ]);
  });

  test('a periodic timer fires every period, and the virq is raised once while nobody looks', () => {
    const host = bootedHost().prepare({ type: 'evtchn.bind_virq', domid: 1, virq: VIRQ.TIMER, vcpu: 0 }, periodic(2 * MS));
    const first = host.steps.length;
    host.advance(7 * MS);
    expect(host.steps.slice(first).map(({ time, outcome }) => [time, outcome.events?.map(({ type }) => type)])).toEqual([
      [2 * MS, ['timer.fired', 'evtchn.pending_raised']],
      [4 * MS, ['timer.fired']],
      [6 * MS, ['timer.fired']],
    ]);
  });

  test('a timeout that has passed raises the virq in the step that sets it', () => {
    const host = bootedHost().prepare({ type: 'evtchn.bind_virq', domid: 1, virq: VIRQ.TIMER, vcpu: 0 });
    host.now = NOW;
    expect(host.types(single(1))).toEqual(['timer.stopped', 'evtchn.pending_raised']);
  });

  test('why a timer fires is who set it', () => {
    const host = bootedHost().prepare(set(3 * MS));
    expect(host.xen.timers.next()).toEqual({
      domid: 1,
      vcpu: 0,
      kind: 'singleshot',
      deadline_ns: 3 * MS,
      armed_by: host.steps.length - 1,
    });
  });

  test('the dying have no timers', () => {
    const host = bootedHost().prepare(set(3 * MS), periodic(2 * MS), { type: 'domctl.destroydomain', domid: 0, domain: 1 });
    expect(host.xen.timers.next()).toBeUndefined();
  });
});
