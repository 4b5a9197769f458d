import { describe, expect, test } from 'vitest';
import { MS } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../../tools/fuzz/core-host.ts';
import { VIRQ } from '../../abi/virq.ts';
import { takePending } from '../evtchn/pending.ts';
import { entryFrame, entryOffset } from '../gnttab/decide.ts';
import type { CoreCommand } from '../index.ts';

const tbuf = (cmd: number, over: object = {}): CoreCommand => ({
  ...{ type: 'sysctl.tbuf_op', domid: 0, cmd, cpus: [], evt_mask: 0, size: 0 },
  ...over,
});
const setSize = tbuf(3, { size: 1 });

interface Read {
  readonly event: number;
  readonly cycles: boolean;
  readonly extra: readonly number[];
}
/** What a tool finds: from t_info to the buffer of a pCPU, and there from cons to prod. */
function records(host: CoreHost, cpu: number): Read[] {
  const { memory } = host;
  const { buffer_mfn } = host.answer(tbuf(0)) as { buffer_mfn: number };
  const list = memory.get16(buffer_mfn, 2 + cpu * 2);
  const pages = memory.get16(buffer_mfn, 0);
  const frames = Array.from({ length: pages }, (_, i) => memory.get32(buffer_mfn, (list + i) * 4));
  const size = pages * 4096 - 8;
  const word = (at: number): number => {
    const place = 8 + (at % size);
    return memory.get32(frames[Math.floor(place / 4096)]!, place % 4096) >>> 0;
  };
  const read: Read[] = [];
  const prod = memory.get32(frames[0]!, 4);
  for (let at = memory.get32(frames[0]!, 0); at !== prod; ) {
    const head = word(at);
    const cycles = head >>> 31 === 1;
    const count = (head >>> 28) & 7;
    const start = at + 4 + (cycles ? 8 : 0);
    read.push({ event: head & 0x0fffffff, cycles, extra: Array.from({ length: count }, (_, i) => word(start + i * 4)) });
    at = (start + count * 4) % (2 * size);
  }
  return read;
}
/** The tool has read everything. */
function consume(host: CoreHost, cpu: number): void {
  const { buffer_mfn } = host.answer(tbuf(0)) as { buffer_mfn: number };
  const frame = host.memory.get32(buffer_mfn, host.memory.get16(buffer_mfn, 2 + cpu * 2) * 4);
  host.memory.put32(frame, 0, host.memory.get32(frame, 4));
}

test('buffers are made once, and are on from then', () => {
  const host = bootedHost();
  const free = host.xen.p2m.freePages;
  expect(host.answer(tbuf(4))).toBe('EINVAL');
  expect(host.answer(tbuf(3))).toBe('EINVAL');
  expect(host.answer(setSize)).toMatchObject({ size: 4096 });
  expect(host.xen.p2m.freePages).toBe(free - 3);
  expect(host.answer(setSize)).toBe('EBUSY');
  expect(host.answer(tbuf(3, { size: 2 }))).toBe('EINVAL');
  expect(host.answer(tbuf(9))).toBe('EINVAL');
  expect(host.answer({ ...setSize, domid: 1 } as CoreCommand)).toBe('EPERM');
});

describe('records', () => {
  const SCHED = 0x0002f000;
  const traced = (evt_mask = SCHED): CoreHost => {
    const host = bootedHost().prepare(setSize, tbuf(2, { evt_mask }));
    consume(host, 0);
    return host;
  };
  test('say what the scheduler does', () => {
    const host = traced();
    host.now = 3 * MS;
    host.prepare({ type: 'sched.schedule', cpu: 0 });
    const [change, next] = records(host, 0);
    // Runnable (1) to running (0), and who it is.
    expect(change).toEqual({ event: 0x21101, cycles: true, extra: [host.xen.sched.pcpu.of(0)!.domid.at(0) << 16] });
    expect(next).toMatchObject({ event: 0x2800f, cycles: true });
    expect(next!.extra.slice(2, 3)).toEqual([3 * MS]);
  });
  test('and which hypercalls are made', () => {
    const host = traced(0x0020f000).prepare({ type: 'evtchn.bind_ipi', domid: 0, vcpu: 0 });
    expect(records(host, 0)).toContainEqual({ event: 0x20100d, cycles: true, extra: [32] });
  });
  test('only of events and pCPUs that are wanted', () => {
    const host = traced(0x0010f000).prepare({ type: 'sched.schedule', cpu: 0 });
    expect(records(host, 0)).toEqual([]);
    const other = traced().prepare(tbuf(1, { cpus: [1] }), { type: 'sched.schedule', cpu: 0 });
    expect(records(other, 0)).toEqual([]);
  });
  test('nothing costs a step while it is off', () => {
    const host = traced(0x0020f000).prepare(tbuf(5));
    consume(host, 0);
    expect(host.types({ type: 'evtchn.bind_ipi', domid: 0, vcpu: 0 })).toEqual(['evtchn.ipi_bound']);
    expect(records(host, 0)).toEqual([]);
  });
  test('that find no room are counted, and wrap at the end', () => {
    const host = traced(0x0020f000);
    const status: CoreCommand = { type: 'evtchn.status', domid: 0, dom: 0, port: 1 };
    // A record is 16 bytes: 255 and a half fit into a page without its two counters.
    for (let i = 0; i < 400; i++) host.submit(status);
    const all = records(host, 0);
    const full = all.filter(({ event }) => event === 0x20100d);
    expect(full.length).toBeGreaterThan(250);
    expect(full.length).toBeLessThan(256);
    consume(host, 0);
    host.submit(status);
    const after = records(host, 0);
    const lost = after.find(({ event }) => event === 0x1f001);
    expect(lost!.extra[0]).toBe(400 + 2 - full.length);
    expect(after).toContainEqual({ event: 0x20100d, cycles: true, extra: [32] });
    expect([...all, ...after].some(({ event }) => event === 0x1f002)).toBe(true);
  });
  test('what a guest says of itself: words, the last of them filled up, and no time', () => {
    const host = traced(0x0800f000);
    host.prepare({ type: 'hvm.xentrace', domid: 2, event: 0x123, extra: Uint8Array.of(1, 0, 0, 0, 2, 3) });
    expect(records(host, host.xen.sched.vcpu.of(2)!.cpu.at(0))).toEqual([{ event: 0x800f123, cycles: false, extra: [1, 0x302] }]);
    host.prepare(tbuf(5));
    expect(host.types({ type: 'hvm.xentrace', domid: 2, event: 1, extra: new Uint8Array(0) })).toEqual([]);
  });
  test('a mapping, and its end', () => {
    const host = traced(0x0010f000);
    const entry = entryOffset(1);
    const table = entryFrame(host.xen, 2, 1);
    host.memory.put16(table, entry, 1);
    host.memory.put16(table, entry + 2, 0);
    host.memory.put32(table, entry + 4, 5);
    const { handle } = host.answer({ type: 'gnttab.map_grant_ref', domid: 0, dom: 2, ref: 1, readonly: true }) as {
      handle: number;
    };
    host.prepare({ type: 'gnttab.unmap_grant_ref', domid: 0, handle });
    expect(records(host, 0).map(({ event, extra }) => [event, ...extra])).toEqual([
      [0x10f001, 2],
      [0x10f002, 2],
    ]);
  });
  test('memory that goes back, and a transfer, and a page that is populated when it is touched', () => {
    const host = traced(0x0010f000);
    const extents = { domid: 0, dom: 2, gmfns: [5, 2 ** 40], extent_order: 0 };
    expect(host.answer({ type: 'memory.decrease_reservation_extents', ...extents })).toEqual({ nr_done: 1 });
    expect(records(host, 0)).toEqual(
      [5, 2 ** 40].map((gmfn) => ({
        ...{ event: 0x10f005, cycles: false, extra: [gmfn >>> 0, (gmfn / 2 ** 32) >>> 0, 2, 0] },
      })),
    );
    const table = entryFrame(host.xen, 2, 0);
    host.memory.put16(table, entryOffset(0), 2);
    host.memory.put16(table, entryOffset(0) + 2, 1);
    host.memory.put32(table, entryOffset(0) + 4, 30);
    host.prepare({ type: 'gnttab.transfer', domid: 1, mfn: host.xen.p2m.mfn(1, 4), dom: 2, ref: 0 });
    expect(records(host, 0)).toContainEqual({ event: 0x10f003, cycles: false, extra: [2] });
    host.prepare(
      { type: 'memory.populate_physmap_extents', domid: 0, dom: 2, gpfns: [50], extent_order: 0, mem_flags: 1 << 16 },
      { type: 'memory.set_pod_target', domid: 0, dom: 2, target_pages: 8 },
      { type: 'memory.pod_demand_populate', domid: 2, gfn: 50 },
    );
    const mfn = host.xen.p2m.mfn(2, 50);
    expect(records(host, 0)).toContainEqual({ event: 0x10f010, cycles: false, extra: [50, 0, mfn, 0, 2, 0] });
  });
  test('dom0 is told once when a buffer is half full, and again when it has been emptied meanwhile', () => {
    const host = traced(0x0020f000).prepare({ type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.TBUF, vcpu: 0 });
    const status: CoreCommand = { type: 'evtchn.status', domid: 0, dom: 0, port: 1 };
    const told = (steps: number): number[] => {
      const at: number[] = [];
      for (let i = 1; i <= steps; i++) if (host.types(status).includes('evtchn.pending_raised')) at.push(i);
      takePending(host.xen, host.memory, 0, 0);
      return at;
    };
    consume(host, 0);
    // A record is 16 bytes of 4088: from the 128th on it is half.
    expect(told(200)).toEqual([129]);
    expect(told(20)).toEqual([]);
    consume(host, 0);
    expect(told(200)).toHaveLength(1);
  });
});
