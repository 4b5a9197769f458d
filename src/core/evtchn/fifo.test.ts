import { expect, test } from 'vitest';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import type { CoreCommand } from '../index.ts';
import { LINKED, MASKED, PENDING, wordPlace } from './fifo.ts';
import { takeQueues } from './fifo-memory.ts';

const SELF = 0x7ff0;
const ipi = (vcpu = 0): CoreCommand => ({ type: 'evtchn.bind_ipi', domid: 2, vcpu });
const send = (port: number): CoreCommand => ({ type: 'evtchn.send', domid: 2, port });
const close = (port: number): CoreCommand => ({ type: 'evtchn.close', domid: 2, port });
const unmask = (port: number): CoreCommand => ({ type: 'evtchn.unmask', domid: 2, port });
const priority = (port: number, priority: number): CoreCommand => ({ type: 'evtchn.set_priority', domid: 2, port, priority });
// d2 is HVM and has 3 vCPUs and pages 0 to 5: 0 for control blocks, 1 for words.
const control = (vcpu: number, offset = vcpu * 128, control_gfn = 0): CoreCommand => ({
  type: 'evtchn.init_control',
  domid: 2,
  control_gfn,
  offset,
  vcpu,
});
const expand = (array_gfn: number): CoreCommand => ({ type: 'evtchn.expand_array', domid: 2, array_gfn });
const fifo = [control(0), control(1), expand(1)];

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['a control block', [], control(0), { link_bits: 17 }],
  ['... of each vCPU', [control(0)], control(1), { link_bits: 17 }],
  ['... that is there', [], control(3), 'ENOENT'],
  ['... once', [control(0)], control(0), 'EINVAL'],
  ['... inside its page', [], control(0, 4096 - 64), 'EINVAL'],
  ['... up to its end', [], control(0, 4096 - 72), { link_bits: 17 }],
  ['... on 8 bytes', [], control(0, 4), 'EINVAL'],
  ['... in a page', [], control(0, 0, 99), 'EINVAL'],
  ['words follow it', [], expand(1), 'EOPNOTSUPP'],
  ['... in a page', [control(0)], expand(99), 'EINVAL'],
  ['a priority', [...fifo, ipi()], priority(1, 0), {}],
  ['... is 15 at most', [...fifo, ipi()], priority(1, 16), 'EINVAL'],
  ['... of a port that is open, which is said first', fifo, priority(1, 16), 'EACCES'],
  ['... with room, which is said before', fifo, priority(64, 0), 'EINVAL'],
  ['... two levels have none', [ipi()], priority(1, 0), 'ENOSYS'],
  ['two levels come back with a reset', [...fifo, { type: 'evtchn.reset', domid: 2, dom: SELF }], control(0), { link_bits: 17 }],
  [
    'a page in use is not given back',
    fifo,
    { type: 'memory.decrease_reservation', domid: 2, dom: 2, gfn: 1, nr_pages: 1 },
    { nr_done: 0 },
  ],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

const word = (host: CoreHost, port: number): number => {
  const place = wordPlace(host.xen, 2, port)!;
  return host.memory.get32(place.mfn, place.offset) >>> 0;
};
const mask = (host: CoreHost, port: number): void => {
  const place = wordPlace(host.xen, 2, port)!;
  host.memory.put32(place.mfn, place.offset, (word(host, port) | MASKED) >>> 0);
};
const take = (host: CoreHost, vcpu = 0): number[] => takeQueues(host.xen, host.memory, 2, vcpu);

test('events come in the order of their priorities, and of their sending', () => {
  const host = bootedHost().prepare(...fifo, ipi(), ipi(), ipi(), ipi(), priority(3, 1));
  host.prepare(send(2), send(1), send(4), send(3), send(1));
  expect(take(host)).toEqual([3, 2, 1, 4]);
  expect(take(host)).toEqual([]);
  expect(word(host, 1)).toBe(PENDING); // off its queue; to clear it is up to its handler
});

test('each vCPU has its own queues', () => {
  const host = bootedHost().prepare(...fifo, ipi(0), ipi(1), send(1), send(2));
  expect([take(host, 1), take(host, 0)]).toEqual([[2], [1]]);
});

test('what is masked is pending, and on no queue until it is unmasked', () => {
  const host = bootedHost().prepare(...fifo, ipi());
  mask(host, 1);
  host.prepare(send(1));
  expect(word(host, 1)).toBe(MASKED + PENDING);
  host.prepare(unmask(1));
  expect(word(host, 1)).toBe(LINKED + PENDING);
  expect(take(host)).toEqual([1]);
});

test('a port that is closed on its queue is not given out before the guest has taken it off', () => {
  const host = bootedHost().prepare(...fifo, ipi(), send(1), close(1));
  expect(word(host, 1)).toBe(LINKED);
  expect(host.answer(ipi())).toEqual({ port: 2 });
  expect(take(host)).toEqual([]); // nothing of it is pending
  expect(host.answer(ipi())).toEqual({ port: 1 });
  expect(host.answer(ipi())).toEqual({ port: 3 });
});

test('what was pending before there were words is told when they come', () => {
  const host = bootedHost().prepare(ipi(), send(1), ipi(), control(0));
  expect(host.types(send(2))).toEqual(['evtchn.pending_saved']);
  expect(host.types(send(2))).toEqual([]);
  host.prepare(expand(1));
  expect(take(host)).toEqual([1, 2]);
});

test('a vCPU without a control block hears nothing', () => {
  const host = bootedHost().prepare(control(0), expand(1), ipi(2));
  expect(host.types(send(1))).toEqual([]);
});

test('a vCPU is told of an empty queue that becomes ready, and wakes; of no more', () => {
  const host = bootedHost().prepare(...fifo, ipi(), ipi());
  const told = (): unknown[] =>
    host.steps.at(-1)!.outcome.events!.flatMap((event) => (event.type === 'evtchn.fifo_raised' ? [event.upcall] : []));
  host.prepare(send(1));
  expect(told()).toEqual([true]);
  host.prepare(send(2));
  expect(told()).toEqual([false]);
  take(host);
  host.prepare(send(2));
  expect(told()).toEqual([true]); // still pending, and on its queue again
});

test('a domain dies with its words', () => {
  const host = bootedHost().prepare(...fifo, ipi(), send(1));
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 2 }) === 'ERESTART');
  expect(host.xen.exists(2)).toBe(false);
});

test('a link of the guest to a port that has no word ends its queue', () => {
  const host = bootedHost().prepare(...fifo, ipi(), unmask(1), send(1));
  const place = wordPlace(host.xen, 2, 1)!;
  host.memory.put32(place.mfn, place.offset, (PENDING | LINKED | 5000) >>> 0);
  expect(take(host)).toEqual([1]);
});
