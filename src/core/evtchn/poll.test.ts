import { expect, test } from 'vitest';
import { MS } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import type { CoreCommand } from '../index.ts';
import { EVTCHN_MASK } from './pending.ts';

const poll = (ports: number[], timeout_ns = 0): CoreCommand => ({ type: 'sched.poll', domid: 1, vcpu: 0, ports, timeout_ns });
const send = (port: number): CoreCommand => ({ type: 'evtchn.send', domid: 1, port });
const runstate = (host: CoreHost): string => host.xen.sched.vcpu.of(1)!.runstate.is(0);

/** d1 runs, with the masked ports 1 and 2 of its own. */
function polling(): CoreHost {
  const host = bootedHost();
  host.now = MS;
  host.prepare({ type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 }, { type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 });
  host.memory.put32(host.xen.sharedInfo(1), EVTCHN_MASK, 0xffffffff);
  while (runstate(host) !== 'running')
    host.prepare({ type: 'sched.schedule', cpu: host.xen.sched.pcpu.of(0)!.state.is(0) === 'idle' ? 0 : 1 });
  return host;
}

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['it waits', [], poll([1, 2]), { blocked: 1 }],
  ['... for nothing but the time', [], poll([], 2 * MS), { blocked: 1 }],
  ['... not for what has come', [send(1)], poll([1]), { blocked: 0 }],
  ['... nor for a time that is over', [], poll([1], 1), { blocked: 0 }],
  ['... nor for a port that is none', [], poll([3]), 'EINVAL'],
  ['... which is not looked at behind one that is pending', [send(1)], poll([1, 3]), { blocked: 0 }],
  ['... but is before', [send(1)], poll([3, 1]), 'EINVAL'],
  ['there are 128 at most', [], poll(Array.from({ length: 129 }, () => 1)), 'EINVAL'],
])('%s', (_, before, command, expected) => {
  expect(
    polling()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test.each<[string, CoreCommand, number, string]>([
  ['the port that is polled wakes, masked as it is', poll([1]), 1, 'runnable'],
  ['... another does not', poll([1]), 2, 'blocked'],
  ['... any of several does', poll([1, 2]), 2, 'runnable'],
  ['who only blocks hears of no masked port', { type: 'sched.block', domid: 1, vcpu: 0 }, 1, 'blocked'],
])('%s', (_, command, port, expected) => {
  const host = polling().prepare(command, send(port));
  expect(runstate(host)).toBe(expected);
});

test('its time wakes it, once', () => {
  const host = polling().prepare(poll([1], 3 * MS));
  host.advance(MS);
  expect(runstate(host)).toBe('blocked');
  host.advance(MS);
  expect(runstate(host)).not.toBe('blocked');
  expect(host.xen.sched.polls.of(1)!.state.is(0)).toBe('none');
});

test('a time that is left over wakes nobody', () => {
  const host = polling().prepare(poll([1], 3 * MS), send(1));
  host.advance(2 * MS);
  const { command, outcome } = host.steps.at(-1)!;
  expect(command).toMatchObject({ type: 'timer.expire', kind: 'poll' });
  expect(outcome.events).toEqual([{ type: 'timer.fired', domid: 1, vcpu: 0, kind: 'poll' }]);
});
