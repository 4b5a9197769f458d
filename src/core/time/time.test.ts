import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DOMID_XEN, MS, type Ns, SECOND } from '../../../events/units.ts';
import { build } from '../../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { CoreHost, type CoreHostOptions, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { shared_info, vcpu_info, vcpu_time_info } from '../../abi/shared-info.ts';
import type { Width } from '../../abi/struct.ts';
import { vcpu_runstate_info } from '../../abi/vcpu.ts';
import { takePending } from '../evtchn/pending.ts';
import type { CoreCommand } from '../index.ts';
import { domainTsc, ticksToNs, timeScale } from './tsc.ts';

/** dom0, and d1 of either width with two vCPUs. */
function hostOf(width: Width, options: CoreHostOptions = smallMachine): CoreHost {
  const host = new CoreHost(options);
  const size = width === 'x86_32' ? 32 : 64;
  return host.prepare(
    ...build(0, { vcpus: 1, pages: 4, hvm: false, caller: DOMID_XEN }),
    { type: 'sched.detach', domid: 0, vcpu: 0 },
    ...build(1, { vcpus: 2, pages: 6, hvm: false, size }),
  );
}
const sharedInfoOf = (host: CoreHost, width: Width) =>
  shared_info[width].read(host.memory.read(host.xen.sharedInfo(1), 0, 4096))!;
const schedule: CoreCommand = { type: 'sched.schedule', cpu: 0 };
const preempt: CoreCommand = { type: 'sched.preempt', domid: 1, vcpu: 0 };

/** What a guest's clock says, from its own page and its own counter. */
function guestClock(host: CoreHost): Ns {
  const { time } = sharedInfoOf(host, 'x86_64').vcpu_info[0]!;
  const tsc = domainTsc(host.xen, 1, host.now);
  const scale = { mul: time.tsc_to_system_mul, shift: time.tsc_shift };
  return Number(time.system_time + ticksToNs(tsc - time.tsc_timestamp, scale));
}

describe.each(['x86_64', 'x86_32'] as const)('a guest of %s', (width) => {
  test('is told its time when it is scheduled, once a second at the most', () => {
    const host = hostOf(width);
    const time = () => sharedInfoOf(host, width).vcpu_info[0]!.time;
    expect(time().version).toBe(0);
    host.prepare(schedule);
    expect(time()).toMatchObject({ version: 2, system_time: 0n, tsc_timestamp: 0n, tsc_to_system_mul: 0x80000000, tsc_shift: 0 });
    host.now = 900 * MS;
    host.prepare(preempt, schedule);
    expect(time().version).toBe(2);
    host.now = 5 * SECOND + 1;
    host.prepare(preempt, schedule);
    expect(time()).toMatchObject({ version: 4, system_time: 5_000_000_000n, tsc_timestamp: 10_000_000_000n });
  });

  test('is told the wall clock in its own layout', () => {
    const host = hostOf(width, { ...smallMachine, clock: { wallclock: 1_234_567_890 } });
    const clock = () => {
      const { wc_version, wc_sec, wc_nsec, wc_sec_hi } = sharedInfoOf(host, width);
      return { wc_version, wc_sec, wc_nsec, wc_sec_hi };
    };
    expect(clock()).toEqual({ wc_version: 2, wc_sec: 1_234_567_890, wc_nsec: 0, wc_sec_hi: 0 });
    host.prepare({ type: 'domctl.settimeoffset', domid: 0, domain: 1, time_offset_seconds: 3600 });
    expect(clock()).toMatchObject({ wc_version: 4, wc_sec: 1_234_571_490 });
    host.prepare({ type: 'domctl.settimeoffset', domid: 0, domain: 1, time_offset_seconds: 2 ** 33 - 1_234_567_890 });
    expect(clock()).toMatchObject({ wc_version: 6, wc_sec: 0, wc_sec_hi: 2 });
  });

  test('moves its vcpu_info to a page of its own: all is raised again, and later events come there', () => {
    const host = hostOf(width);
    const layout = vcpu_info[width];
    const mfn = host.xen.p2m.mfn(1, 3);
    const info = () => layout.read(host.memory.read(mfn, 128, layout.size))!;
    host.prepare({ type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 });
    host.memory.put8(host.xen.sharedInfo(1), 1, 1); // the upcall mask
    host.now = 2 * SECOND;
    host.prepare({ type: 'vcpu.register_vcpu_info', domid: 1, vcpu: 0, current: 0, mfn, offset: 128 });
    const all = width === 'x86_64' ? 2n ** 64n - 1n : 2n ** 32n - 1n;
    expect(info()).toMatchObject({ evtchn_upcall_pending: 1, evtchn_upcall_mask: 1, evtchn_pending_sel: all });
    expect(info().time).toMatchObject({ system_time: 2_000_000_000n, version: 2 });
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([]);
    host.prepare({ type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 1 });
    host.prepare({ type: 'evtchn.send', domid: 0, port: 1 });
    expect(info()).toMatchObject({ evtchn_upcall_pending: 1, evtchn_pending_sel: 1n });
    expect(sharedInfoOf(host, width).vcpu_info[0]).toMatchObject({ evtchn_upcall_pending: 0, evtchn_pending_sel: 0n });
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([1]);
  });

  test('finds its runstate where it wants it, in its own layout', () => {
    const host = hostOf(width);
    const layout = vcpu_runstate_info[width];
    const addr = 2 * 4096 - 20; // over the end of a page
    const area = () => {
      const bytes = Uint8Array.from({ length: layout.size }, (_, i) =>
        host.memory.get8(host.xen.p2m.mfn(1, Math.floor((addr + i) / 4096)), (addr + i) % 4096),
      );
      const { state, state_entry_time, time } = layout.read(bytes)!;
      return [state, Number(state_entry_time) / MS, ...time.map((ns) => Number(ns) / MS)];
    };
    host.now = 1 * MS;
    host.prepare({ type: 'vcpu.register_runstate_memory_area', domid: 1, vcpu: 0, addr });
    expect(area()).toEqual([1, 0, 0, 1, 0, 0]);
    host.now = 3 * MS;
    host.prepare(schedule);
    expect(area()).toEqual([0, 3, 0, 3, 0, 0]);
    host.now = 7 * MS;
    host.prepare(preempt);
    expect(area()).toEqual([1, 7, 4, 3, 0, 0]);
    host.now = 8 * MS;
    host.prepare(schedule, { type: 'sched.block', domid: 1, vcpu: 0 });
    expect(area()).toEqual([2, 8, 4, 4, 0, 0]);
  });

  test('sees ports up to its ABI, and the bits of the last', () => {
    const host = hostOf(width, { ...smallMachine, invariants: {} });
    const last = width === 'x86_64' ? 4095 : 1023;
    let port = 0;
    while (port < last) ({ port } = host.answer({ type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 }) as { port: number });
    expect(host.answer({ type: 'evtchn.bind_ipi', domid: 1, vcpu: 0 })).toBe('ENOSPC');
    host.prepare({ type: 'evtchn.send', domid: 1, port: last });
    const { evtchn_pending, vcpu_info: infos } = sharedInfoOf(host, width);
    const top = width === 'x86_64' ? 1n << 63n : 1n << 31n;
    expect([evtchn_pending.at(-1), infos[0]!.evtchn_pending_sel]).toEqual([top, top]);
    expect(takePending(host.xen, host.memory, 1, 0)).toEqual([last]);
  });
});

test('a counter that is set anew has another stamp when the vCPU next runs, also within the second', () => {
  const host = hostOf('x86_64');
  const time = () => sharedInfoOf(host, 'x86_64').vcpu_info[0]!.time;
  const set = (tsc_mode: number, elapsed_nsec: number): CoreCommand => ({
    ...{ type: 'domctl.settscinfo', domid: 0, domain: 1, tsc_mode, elapsed_nsec, gtsc_khz: 0, incarnation: 0 },
  });
  host.now = 5 * SECOND + 100 * MS;
  host.prepare(set(1, 3 * SECOND), schedule);
  expect(time()).toMatchObject({ version: 2, tsc_timestamp: 5_800_000_000n });
  host.now += 100 * MS;
  host.prepare(preempt, set(1, 7 * SECOND));
  expect(time().version).toBe(2);
  host.prepare(schedule);
  expect(time()).toMatchObject({ version: 4, tsc_timestamp: 13_600_000_000n, system_time: 5_000_000_000n });
  // The host's own again, with the same scale.
  host.prepare(preempt, set(2, 0), schedule);
  expect(time()).toMatchObject({ version: 6, tsc_timestamp: 10_000_000_000n });
  expect(guestClock(host)).toBe(host.now);
});

test.each<[string, Partial<{ vcpu: number; current: number; mfn: number; offset: number }>, unknown]>([
  ['beyond the page', { offset: 4033 }, 'ENXIO'],
  ['not aligned', { offset: 4 }, 'ENXIO'],
  ['in nobody’s page', { mfn: 0xfffff }, 'EINVAL'],
  ['for another that is up', { current: 1 }, 'EINVAL'],
  ['for another that is down', { vcpu: 1, current: 0 }, {}],
  ['for one that is not there', { vcpu: 9 }, 'ENOENT'],
])('a vcpu_info %s', (_, given, expected) => {
  const host = hostOf('x86_64');
  const command = {
    type: 'vcpu.register_vcpu_info',
    domid: 1,
    vcpu: 0,
    current: 0,
    mfn: host.xen.p2m.mfn(1, 3),
    offset: 0,
  } as const;
  expect(host.answer({ ...command, ...given })).toEqual(expected);
  if (typeof expected === 'object') expect(host.answer({ ...command, ...given })).toBe('EINVAL'); // once is all
});

test('a vcpu_info keeps its page, and goes with its domain', () => {
  const host = hostOf('x86_64');
  host.prepare({ type: 'vcpu.register_vcpu_info', domid: 1, vcpu: 0, current: 0, mfn: host.xen.p2m.mfn(1, 3), offset: 0 });
  expect(host.answer({ type: 'memory.decrease_reservation', domid: 1, dom: 1, gfn: 3, nr_pages: 1 })).toEqual({ nr_done: 0 });
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 1 }) === 'ERESTART');
  expect(host.xen.exists(1)).toBe(false);
});

test('a vCPU beyond the shared page can be initialised once it has a vcpu_info', () => {
  const host = hostOf('x86_64');
  host.prepare(...build(2, { vcpus: 34, pages: 4, hvm: false }));
  const initialise: CoreCommand = { type: 'vcpu.initialise', domid: 2, vcpu: 33 };
  expect(host.answer(initialise)).toBe('EINVAL');
  const mfn = host.xen.p2m.mfn(2, 1);
  host.prepare({ type: 'vcpu.register_vcpu_info', domid: 2, vcpu: 33, current: 0, mfn, offset: 0 }, initialise);
  expect(vcpu_info.x86_64.read(host.memory.read(mfn, 0, 64))).toMatchObject({ evtchn_upcall_pending: 1, evtchn_upcall_mask: 1 });
});

test('an NMI wakes a vCPU, and is sent once while it is pending', () => {
  const host = hostOf('x86_64').prepare(schedule, { type: 'sched.block', domid: 1, vcpu: 0 });
  const nmi: CoreCommand = { type: 'vcpu.send_nmi', domid: 1, vcpu: 0 };
  expect(host.types(nmi)).toEqual(['vcpu.nmi_sent', 'vcpu.woken', 'sched.tickled']);
  expect(host.types(nmi)).toEqual([]);
});

describe('a counter', () => {
  const get: CoreCommand = { type: 'domctl.gettscinfo', domid: 0, domain: 1 };
  const set = (tsc_mode: number, gtsc_khz: number, elapsed_nsec = 0, incarnation = 1): CoreCommand => ({
    type: 'domctl.settscinfo',
    domid: 0,
    domain: 1,
    tsc_mode,
    elapsed_nsec,
    gtsc_khz,
    incarnation,
  });
  test.each<[string, CoreCommand[], unknown]>([
    ['is the host’s at first', [], { tsc_mode: 0, elapsed_nsec: 3 * SECOND, gtsc_khz: 2_000_000, incarnation: 1 }],
    ['always emulated', [set(1, 0, 500)], { tsc_mode: 1, elapsed_nsec: 500 + SECOND, gtsc_khz: 2_000_000, incarnation: 2 }],
    ['never', [set(2, 0)], { tsc_mode: 2, elapsed_nsec: 0, gtsc_khz: 0, incarnation: 2 }],
    ['of another frequency', [set(0, 1_500_000)], { tsc_mode: 0, elapsed_nsec: SECOND, gtsc_khz: 1_500_000, incarnation: 2 }],
    [
      'of the host’s frequency',
      [set(0, 2_000_000)],
      { tsc_mode: 0, elapsed_nsec: 3 * SECOND, gtsc_khz: 2_000_000, incarnation: 2 },
    ],
  ])('%s', (_, before, expected) => {
    const host = hostOf('x86_64');
    host.now = 2 * SECOND;
    host.prepare(...before);
    host.now = 3 * SECOND;
    expect(host.answer(get)).toEqual(expected);
  });
  test.each<[CoreCommand, unknown]>([
    [set(3, 0), 'EINVAL'],
    [{ ...set(0, 0), domain: 0 } as CoreCommand, 'EINVAL'],
    [{ ...get, domain: 0 } as CoreCommand, 'EINVAL'],
    [{ ...get, domid: 1 } as CoreCommand, 'EPERM'],
    [{ ...get, domain: 77 } as CoreCommand, 'ESRCH'],
  ])('%j is refused', (command, errno) => {
    expect(hostOf('x86_64').answer(command)).toBe(errno);
  });
});

test('a guest’s clock never goes back, and is never ahead, whatever the frequency and the mode', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(1_000_000, 1_799_999, 2_000_000, 2_399_998, 3_700_001),
      fc.constantFrom(0, 1_234_567, 2_600_000),
      fc.constantFrom(0, 1, 2),
      fc.array(fc.integer({ min: 1, max: 3 * SECOND }), { minLength: 1, maxLength: 30 }),
      (tscKhz, khz, tsc_mode, delays) => {
        const host = hostOf('x86_64', { ...smallMachine, clock: { tscKhz } });
        host.prepare({
          type: 'domctl.settscinfo',
          domid: 0,
          domain: 1,
          tsc_mode,
          elapsed_nsec: 0,
          gtsc_khz: khz,
          incarnation: 0,
        });
        let before = 0;
        for (const delay of delays) {
          host.prepare(schedule, preempt);
          host.now += delay;
          const clock = guestClock(host);
          expect(clock).toBeGreaterThanOrEqual(before);
          expect(clock).toBeLessThanOrEqual(host.now);
          expect(host.now - clock).toBeLessThan(1000);
          before = clock;
          host.prepare(schedule);
          expect(guestClock(host)).toBeGreaterThanOrEqual(before);
          before = guestClock(host);
          host.prepare(preempt);
        }
      },
    ),
    { numRuns: 60 },
  );
});

test.each([
  [1_000_000, { mul: 0x80000000, shift: 1 }],
  [2_000_000, { mul: 0x80000000, shift: 0 }],
  [2_400_000, { mul: 3579139413, shift: -1 }],
  [100, { mul: 2621440000, shift: 14 }],
])('%i kHz', (khz, scale) => {
  expect(timeScale(khz)).toEqual(scale);
});

test('the wall clock of all moves at once', () => {
  const host = bootedHost();
  host.apply({ type: 'time.wallclock_set', sec: 7, nsec: 8 });
  for (const domid of host.xen.domids())
    expect(shared_info.x86_64.read(host.memory.read(host.xen.sharedInfo(domid), 0, 4096))).toMatchObject({
      wc_sec: 7,
      wc_nsec: 8,
    });
  expect(vcpu_time_info.x86_64.size).toBe(32);
});
