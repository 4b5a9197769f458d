import { expect, test } from 'vitest';
import { MS } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreCommand } from '../index.ts';

const on = (
  type: 'vcpu.initialise' | 'vcpu.up' | 'vcpu.down' | 'vcpu.is_up' | 'vcpu.get_runstate_info',
  domid: number,
  vcpu: number,
): CoreCommand => ({ type, domid, vcpu });
const context = (domain: number, vcpu: number, domid = 0): CoreCommand => ({
  type: 'domctl.setvcpucontext',
  domid,
  domain,
  vcpu,
});
const info = (domain: number, vcpu: number, domid = 0): CoreCommand => ({ type: 'domctl.getvcpuinfo', domid, domain, vcpu });
const second = [on('vcpu.initialise', 2, 1), on('vcpu.up', 2, 1)];
const bare = build(5, { vcpus: 2, pages: 1, hvm: false }).slice(0, 1);
const many = build(5, { vcpus: 34, pages: 1, hvm: false });

// vCPU 0 of d2 is up, 1 and 2 are not.
test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a first state is given', [], on('vcpu.initialise', 2, 1), {}],
  ['... once', [], on('vcpu.initialise', 2, 0), 'EEXIST'],
  ['... to a vCPU that is there', [], on('vcpu.initialise', 2, 3), 'ENOENT'],
  ['... and that could be told of events', many, on('vcpu.initialise', 5, 32), 'EINVAL'],
  ['... the last such', many, on('vcpu.initialise', 5, 31), {}],
  ['it comes up', [on('vcpu.initialise', 2, 1)], on('vcpu.up', 2, 1), {}],
  ['... not without a state', [], on('vcpu.up', 2, 1), 'EINVAL'],
  ['... again is no error', second, on('vcpu.up', 2, 1), {}],
  ['... not what is not there', [], on('vcpu.up', 2, -1), 'ENOENT'],
  ['... of nobody', [], on('vcpu.up', 77, 0), 'ESRCH'],
  ['it goes down', second, on('vcpu.down', 2, 1), {}],
  [
    '... again is no error',
    [...second, on('vcpu.down', 2, 1), ...second.slice(1), on('vcpu.down', 2, 1)],
    on('vcpu.down', 2, 1),
    {},
  ],
  ['... not what is not there', [], on('vcpu.down', 2, 3), 'ENOENT'],
  ['it is up', [], on('vcpu.is_up', 2, 0), { up: 1 }],
  ['it is not', [], on('vcpu.is_up', 2, 1), { up: 0 }],
  ['it is not there', [], on('vcpu.is_up', 2, 9), 'ENOENT'],
  ['its times', [], on('vcpu.get_runstate_info', 2, 1), { state: 'offline', state_entry_time: 0, time: [0, 0, 0, 0] }],
  ['... of what is not there', [], on('vcpu.get_runstate_info', 2, 3), 'ENOENT'],
  ['the toolstack sets a state', [], context(2, 1), {}],
  ['... again', [], context(2, 0), {}],
  ["... not its own domain's", [], context(0, 0), 'EINVAL'],
  ['... of a vCPU that is there', [], context(2, 3), 'EINVAL'],
  ['... is no guest', [], context(2, 1, 1), 'EPERM'],
  ['... of nobody, said before who asks', [], context(77, 0, 1), 'ESRCH'],
  ['the toolstack asks', [], info(2, 0), { online: 1, blocked: 0, running: 0, cpu_time: 0, cpu: 0 }],
  ['... about what is down', [], info(2, 1), { online: 0, blocked: 0, running: 0, cpu_time: 0, cpu: 0 }],
  ['... about its own, which must be running', [], info(0, 0), { online: 1, blocked: 0, running: 1, cpu_time: 0, cpu: 0 }],
  ['... about more than the domain can have', [], info(2, 3), 'EINVAL'],
  ['... about less', [], info(2, -1), 'EINVAL'],
  ['... about what is not allocated yet', bare, info(5, 1), 'ESRCH'],
  ['... is no guest', [], info(2, 0, 1), 'EPERM'],
  ['... about nobody', [], info(77, 0), 'ESRCH'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('the last vCPU does not go down: its domain shuts down', () => {
  const host = bootedHost().prepare(...second);
  expect(host.types(on('vcpu.down', 2, 0))).toEqual(['vcpu.brought_down']);
  expect(host.types(on('vcpu.down', 2, 1))[0]).toBe('domain.shut_down');
  expect(host.xen.domain.row(0, 2).shut_down).toBe('poweroff');
  expect(host.answer(on('vcpu.is_up', 2, 1))).toEqual({ up: 1 });
});

test('who goes down while running leaves its pCPU, and has paid', () => {
  const host = bootedHost().prepare(...second, { type: 'domctl.pausedomain', domid: 0, domain: 1 });
  host.prepare({ type: 'sched.schedule', cpu: 0 }, { type: 'sched.schedule', cpu: 1 });
  expect(host.xen.sched.pcpu.row(0, 1)).toMatchObject({ domid: 2, vcpu: 0 });
  host.now = 3 * MS;
  expect(host.answer(info(2, 0))).toMatchObject({ running: 1, cpu_time: 3 * MS, cpu: 1 });
  expect(host.types(on('vcpu.down', 2, 0))).toEqual(['vcpu.preempted', 'vcpu.brought_down']);
  expect(host.xen.sched.pcpu.row(0, 1).state).toBe('idle');
  expect(host.answer(info(2, 0))).toMatchObject({ online: 0, running: 0, cpu_time: 3 * MS });
});
