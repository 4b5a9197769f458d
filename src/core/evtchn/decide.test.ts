import { describe, expect, test } from 'vitest';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { type CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { SHARED_INFO } from '../../abi/shared-info.ts';
import { VIRQ } from '../../abi/virq.ts';
import type { CoreCommand } from '../index.ts';
import { EVTCHN_MASK, EVTCHN_PENDING, takePending, vcpuInfo } from './pending.ts';

const SELF = 0x7ff0;
const alloc = (domid: number, remote_dom: number, dom = domid): CoreCommand => ({
  type: 'evtchn.alloc_unbound',
  domid,
  dom,
  remote_dom,
});
const bind = (domid: number, remote_dom: number, remote_port: number): CoreCommand => ({
  type: 'evtchn.bind_interdomain',
  domid,
  remote_dom,
  remote_port,
});
const virq = (domid: number, number: number, vcpu = 0): CoreCommand => ({ type: 'evtchn.bind_virq', domid, virq: number, vcpu });
const ipi = (domid: number, vcpu: number): CoreCommand => ({ type: 'evtchn.bind_ipi', domid, vcpu });
const close = (domid: number, port: number): CoreCommand => ({ type: 'evtchn.close', domid, port });
const send = (domid: number, port: number): CoreCommand => ({ type: 'evtchn.send', domid, port });
const unmask = (domid: number, port: number): CoreCommand => ({ type: 'evtchn.unmask', domid, port });
const status = (domid: number, dom: number, port: number): CoreCommand => ({ type: 'evtchn.status', domid, dom, port });
const bindPirq = (domid: number, pirq: number): CoreCommand => ({ type: 'evtchn.bind_pirq', domid, pirq, flags: 0 });
const mapPirq = (dom: number, pirq: number): CoreCommand => ({ type: 'physdev.map_pirq', domid: 0, dom, pirq });
const unmapPirq = (dom: number, pirq: number): CoreCommand => ({ type: 'physdev.unmap_pirq', domid: 0, dom, pirq });
const move = (domid: number, port: number, vcpu: number): CoreCommand => ({ type: 'evtchn.bind_vcpu', domid, port, vcpu });
const reset = (domid: number, dom: number): CoreCommand => ({ type: 'evtchn.reset', domid, dom });
const dying: CoreCommand = { type: 'domctl.destroydomain', domid: 0, domain: 1 };

/** d1's port 1 waits for d0, whose port 1 is bound to it. */
const linked = [alloc(1, 0), bind(0, 1, 1)];

test.each<[string, CoreCommand[], CoreCommand, unknown]>([
  ['the lowest free port is given', [], alloc(1, 0), { port: 1 }],
  ['... and again after a close', [alloc(1, 0), alloc(1, 0), close(1, 1)], alloc(1, 0), { port: 1 }],
  ['... for whoever asks, by DOMID_SELF', [], alloc(1, SELF, SELF), { port: 1 }],
  ['... also to one that does not exist', [], alloc(1, 77), { port: 1 }],
  ['dom0 allocates in a guest', [], alloc(0, 0, 1), { port: 1 }],
  ['a guest does not, in dom0', [], alloc(1, 1, 0), 'EPERM'],
  ['nobody does where nobody is', [], alloc(0, 0, 77), 'ESRCH'],
  ['nor in the dying, as in Xen before it asks for permission', [dying], alloc(2, 0, 1), 'EINVAL'],
  ['the dying ask for nothing', [dying], alloc(1, 0), 'ESRCH'],

  ['a port that waits is bound', [alloc(1, 0)], bind(0, 1, 1), { local_port: 1 }],
  ['... by whom it waits for', [alloc(1, 0)], bind(2, 1, 1), 'EINVAL'],
  ['... once', linked, bind(0, 1, 1), 'EINVAL'],
  ['... again after the peer closed', [...linked, close(0, 1)], bind(0, 1, 1), { local_port: 1 }],
  ['... also to another port of one domain', [alloc(1, 1)], bind(1, SELF, 1), { local_port: 2 }],
  ['a free port is not', [], bind(0, 1, 1), 'EINVAL'],
  ['nor one beyond all', [], bind(0, 1, 2 ** 32 - 1), 'EINVAL'],
  ['nor one of nobody', [], bind(0, 77, 1), 'ESRCH'],
  ['nor one of a reserved id', [], bind(0, 0x7ff1, 1), 'ESRCH'],

  ['a virq is bound', [], virq(1, VIRQ.TIMER), { port: 1 }],
  ['... once a vCPU', [virq(1, VIRQ.TIMER)], virq(1, VIRQ.TIMER), 'EEXIST'],
  ['... on each vCPU', [virq(2, VIRQ.TIMER)], virq(2, VIRQ.TIMER, 1), { port: 2 }],
  ['... again after a close', [virq(1, VIRQ.TIMER), close(1, 1)], virq(1, VIRQ.TIMER), { port: 1 }],
  ['a global one on vCPU 0 alone', [], virq(2, VIRQ.DOM_EXC, 1), 'EINVAL'],
  ['PCPU_STATE is global', [], virq(2, VIRQ.PCPU_STATE, 1), 'EINVAL'],
  ['XENOPROF is not', [], virq(2, VIRQ.XENOPROF, 1), { port: 1 }],
  ['whether it is global is asked before the vCPU', [], virq(2, VIRQ.CONSOLE, 99), 'EINVAL'],
  ['there are 24', [], virq(1, 24), 'EINVAL'],
  ['a vCPU must be there', [], virq(1, VIRQ.TIMER, 1), 'ENOENT'],

  ['an ipi is bound, as often as wanted', [ipi(2, 1)], ipi(2, 1), { port: 2 }],
  ['... for a vCPU that is there', [], ipi(2, 3), 'ENOENT'],

  ['what is free is not closed', [], close(1, 1), 'EINVAL'],
  ['nor what is no port', [], close(1, 2 ** 32 + 1), 'EINVAL'],
  ['what is unbound is', [alloc(1, 0)], close(1, 1), {}],

  ['a send to the bound', linked, send(0, 1), {}],
  ['... to the unbound is dropped', [alloc(1, 0)], send(1, 1), {}],
  ['... to oneself', [ipi(2, 0)], send(2, 1), {}],
  ['... to a virq is refused', [virq(1, VIRQ.TIMER)], send(1, 1), 'EINVAL'],
  ['... to nothing is refused', [], send(1, 1), 'EINVAL'],

  ['what is free but has room is unmasked', [], unmask(1, 63), {}],
  ['what has no room is not', [], unmask(1, 64), 'EINVAL'],
  ['room comes with ports, and stays', [...Array.from({ length: 64 }, () => ipi(2, 0)), close(2, 64)], unmask(2, 127), {}],

  ['a pirq is bound', [mapPirq(0, 9)], bindPirq(0, 9), { port: 1 }],
  ['... once', [mapPirq(0, 9), bindPirq(0, 9)], bindPirq(0, 9), 'EEXIST'],
  ['... again after a close', [mapPirq(0, 9), bindPirq(0, 9), close(0, 1)], bindPirq(0, 9), { port: 1 }],
  ['... that was given', [], bindPirq(0, 9), 'EPERM'],
  ['... and not to another', [mapPirq(1, 9)], bindPirq(0, 9), 'EPERM'],
  ['... of those that there can be', [], bindPirq(0, 100_000), 'EINVAL'],
  ['... is not sent to', [mapPirq(0, 9), bindPirq(0, 9)], send(0, 1), 'EINVAL'],
  ['dom0 gives it', [], { type: 'physdev.map_pirq', domid: 1, dom: 1, pirq: 9 }, 'EPERM'],
  ['... to those that are there', [], mapPirq(77, 9), 'ESRCH'],
  ['... and takes it, with its port', [mapPirq(0, 9), bindPirq(0, 9), unmapPirq(0, 9)], close(0, 1), 'EINVAL'],
  ['... once', [mapPirq(0, 9), unmapPirq(0, 9)], unmapPirq(0, 9), 'EINVAL'],

  ['a port moves to another vCPU', [alloc(2, 0)], move(2, 1, 2), {}],
  ['... that is there', [alloc(2, 0)], move(2, 1, 3), 'ENOENT'],
  ['... that is asked before the port', [], move(2, 99, 3), 'ENOENT'],
  ['... a port that is open', [], move(2, 1, 0), 'EINVAL'],
  ['... with room', [], move(2, 64, 0), 'EINVAL'],
  ['... a global virq', [virq(2, VIRQ.DOM_EXC)], move(2, 1, 1), {}],
  ['... which stays bound where it was', [virq(2, VIRQ.DOM_EXC), move(2, 1, 1)], virq(2, VIRQ.DOM_EXC), 'EEXIST'],
  ['... until it is closed', [virq(2, VIRQ.DOM_EXC), move(2, 1, 1), close(2, 1)], virq(2, VIRQ.DOM_EXC), { port: 1 }],
  ["... not a vCPU's own", [virq(2, VIRQ.TIMER)], move(2, 1, 1), 'EINVAL'],
  ['... nor an ipi', [ipi(2, 0)], move(2, 1, 1), 'EINVAL'],

  ['a reset closes all', [...linked, ipi(1, 0), reset(1, SELF)], alloc(1, 0), { port: 1 }],
  ['... also for one that is paused', [...linked, { type: 'domctl.pausedomain', domid: 0, domain: 1 }], reset(0, 1), {}],
  ['... not for one that runs', linked, reset(0, 1), 'EINVAL'],
  ['... not for another', [], reset(1, 2), 'EPERM'],
  ['... nor for nobody', [], reset(0, 77), 'ESRCH'],
  ['none is left half done', [], { type: 'evtchn.reset_cont', domid: 1, dom: SELF }, 'EBUSY'],

  ['status of the free', [], status(1, SELF, 5), { status: 'closed', vcpu: 0, remote_dom: 0, remote_port: 0, virq: 0 }],
  ['... the unbound', [alloc(1, 2)], status(1, 1, 1), { status: 'unbound', vcpu: 0, remote_dom: 2, remote_port: 0, virq: 0 }],
  [
    '... the bound, asked by dom0',
    linked,
    status(0, 1, 1),
    { status: 'interdomain', vcpu: 0, remote_dom: 0, remote_port: 1, virq: 0 },
  ],
  [
    '... the peer of the closed',
    [...linked, close(0, 1)],
    status(1, 1, 1),
    { status: 'unbound', vcpu: 0, remote_dom: 0, remote_port: 0, virq: 0 },
  ],
  ['... a virq', [virq(2, 13, 2)], status(2, 2, 1), { status: 'virq', vcpu: 2, remote_dom: 0, remote_port: 0, virq: 13 }],
  ['... an ipi', [ipi(2, 2)], status(2, 2, 1), { status: 'ipi', vcpu: 2, remote_dom: 0, remote_port: 0, virq: 0 }],
  ['... beyond the room', [], status(0, 1, 64), 'EINVAL'],
  ['... beyond the room is said before who asks', [], status(1, 0, 64), 'EINVAL'],
  ["... another's", [], status(1, 0, 1), 'EPERM'],
  ["... nobody's", [], status(0, 77, 1), 'ESRCH'],
])('%s', (_, before, command, expected) => {
  expect(
    bootedHost()
      .prepare(...before)
      .answer(command),
  ).toEqual(expected);
});

test('a domain has as many ports as its limit says, and not one more', () => {
  const host = bootedHost();
  host.xen.domain.of(0)!.max_evtchn_port.put(1, 3);
  expect([1, 2, 3, 4].map(() => host.answer(alloc(1, 0)))).toEqual([{ port: 1 }, { port: 2 }, { port: 3 }, 'ENOSPC']);
  expect(host.answer(alloc(2, 0, 1))).toBe('ENOSPC');
  expect(host.answer(bind(1, 1, 1))).toBe('ENOSPC');
  expect(host.answer(virq(1, VIRQ.TIMER))).toBe('ENOSPC');
  expect(host.answer(ipi(1, 0))).toBe('ENOSPC');
});

describe('what an event does', () => {
  /** d1 waits for what d0 sends to its port 1. */
  const waiting = (): CoreHost => {
    const host = bootedHost({ ...smallMachine, nrCpus: 1 }).prepare(...linked);
    host.submit({ type: 'sched.schedule', cpu: 0 });
    while (host.xen.sched.vcpu.of(1)!.runstate.is(0) !== 'running') {
      const { domid, vcpu } = host.xen.sched.pcpu.row(0, 0);
      host.submit({ type: 'sched.block', domid, vcpu });
      takePending(host.xen, host.memory, domid, vcpu);
      host.submit({ type: 'sched.block', domid, vcpu });
      host.submit({ type: 'sched.schedule', cpu: 0 });
    }
    takePending(host.xen, host.memory, 1, 0);
    expect(host.answer({ type: 'sched.block', domid: 1, vcpu: 0 })).toEqual({ blocked: 1 });
    return host;
  };

  test('it is pending, the vCPU is told, and wakes', () => {
    const host = waiting();
    expect(host.types(send(0, 1))).toEqual(['evtchn.pending_raised', 'vcpu.woken', 'sched.tickled']);
    expect(host.xen.sched.vcpu.of(1)!.runstate.is(0)).toBe('runnable');
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([1]);
    expect(host.xen.evtchn.ports.of(1)!.raised_by.at(1)).toBe(host.steps.length - 1);
  });

  test('what is pending already is nothing new', () => {
    const host = waiting();
    host.submit(send(0, 1));
    expect(host.types(send(0, 1))).toEqual([]);
  });

  test('what is masked is pending, and wakes nobody before it is unmasked', () => {
    const host = waiting();
    const page = host.xen.sharedInfo(1);
    host.memory.put32(page, EVTCHN_MASK, 1 << 1);
    expect(host.types(send(0, 1))).toEqual(['evtchn.pending_raised']);
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([]);
    expect(host.types(unmask(1, 1))).toEqual(['evtchn.unmasked', 'evtchn.pending_raised', 'vcpu.woken', 'sched.tickled']);
    expect(host.memory.get32(page, EVTCHN_MASK)).toBe(0);
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([1]);
    expect(host.types(unmask(1, 1))).toEqual([]);
  });

  test('a bound port starts pending: the peer may have sent before', () => {
    const host = bootedHost().prepare(...linked);
    expect(takePending(host.xen, host.memory, 0, 0)).toEqual([1]);
  });

  test('a closed port leaves nothing pending to the next of its number', () => {
    const host = bootedHost().prepare(...linked, send(0, 1), close(1, 1));
    expect(host.memory.get32(host.xen.sharedInfo(1), EVTCHN_PENDING)).toBe(0);
  });

  test('a vCPU beyond the shared page is told nothing, and the page stays whole', () => {
    const many = build(5, { vcpus: 34, pages: 1, hvm: false });
    const host = bootedHost().prepare(...many, ipi(5, 33), send(5, 1));
    const page = host.xen.sharedInfo(5);
    const bytes = [...host.memory.read(page, 0, SHARED_INFO.x86_64.wc_version)].flatMap((byte, at) =>
      byte === 0 ? [] : [[at, byte]],
    );
    expect(bytes).toEqual([[EVTCHN_PENDING, 2]]);
  });
});

test('ports above 2047 set selectors in the upper half, and are taken from there', () => {
  const host = bootedHost({ ...smallMachine, invariants: {} });
  const ports = [1, 64, 2047, 2048, 4095];
  for (let port = 1; port < 4096; port++) host.submit(ipi(2, 1));
  for (const port of ports) host.submit(send(2, port));
  expect(takePending(host.xen, host.memory, 2, 1)).toEqual(ports);
  expect(takePending(host.xen, host.memory, 2, 1)).toEqual([]);
  expect(host.answer(ipi(2, 1))).toBe('ENOSPC');
});

test('the offsets are those of struct shared_info', () => {
  expect(EVTCHN_PENDING).toBe(SHARED_INFO.x86_64.evtchn_pending);
  expect(EVTCHN_MASK).toBe(SHARED_INFO.x86_64.evtchn_mask);
  expect(vcpuInfo(31)).toBe(SHARED_INFO.x86_64.vcpu_info + 31 * 64);
});
