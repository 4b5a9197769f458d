// Hypercalls in bytes: the worked example, and a guest of a whole host.
import { expect, test } from 'vitest';
import { SECOND } from '../../events/units.ts';
import { guest } from '../../examples/raw-hypercalls/guest.ts';
import { rawHypercall } from '../../machines/index.ts';
import { HYPERVISOR, multicall_entry } from '../../src/abi/hypercall.ts';
import { livecdAt } from '../livecd.ts';

test('the worked example', () => {
  const lines: string[] = [];
  guest((line) => void lines.push(line));
  expect(lines).toEqual([
    'returns 0, and the structure says port 1',
    '{"type":"evtchn.alloc_unbound","domid":1,"dom":32752,"remote_dom":0}',
    'returns -14',
    '{"type":"hypercall.note_refused","domid":1,"vcpu":0,"number":32,"cmd":6,"errno":"EFAULT"}',
  ]);
});

test('a guest of the Live CD makes several calls in one, at their price, with their cause', () => {
  const { dispatcher } = livecdAt(10 * SECOND);
  const { memory, host } = dispatcher;
  // The last of its pages, which nobody uses.
  const pages = host.xen.p2m.of(1).at(-1)!;
  const [gfn, mfn] = [pages.gfn + pages.count - 1, pages.mfn + pages.count - 1];
  const { size } = multicall_entry.x86_64;
  for (let i = 0; i < 3; i++) {
    const entry = new Uint8Array(size);
    multicall_entry.x86_64.write(entry, { op: BigInt(HYPERVISOR.xen_version), args: [0n] });
    memory.write(mfn, i * size, entry);
  }
  const from = dispatcher.seq;
  const before = dispatcher.now;
  const batches: (number | undefined)[] = [];
  dispatcher.steps$.subscribe(({ batch, origin, cause }) => {
    batches.push(batch);
    expect([origin, cause]).toEqual(['d1v0', from - 1]);
  });
  const caller = { domid: 1, vcpu: 0, width: 64 } as const;
  const registers = { number: HYPERVISOR.multicall, args: [BigInt(gfn) * 4096n, 3n] };
  // The slice ends after the second entry.
  const first = rawHypercall(dispatcher, caller, registers, { origin: 'd1v0', cause: from - 1, until: before + 2000 });
  expect(first).toMatchObject({ done: false });
  expect(batches).toEqual([0, 1]);
  const rest = first.done ? registers : first.continuation;
  const last = rawHypercall(dispatcher, caller, rest, { origin: 'd1v0', cause: from - 1, until: before + SECOND });
  expect(last).toEqual({ done: true, rc: 0 });
  expect(dispatcher.now).toBeGreaterThan(before);
  for (let i = 0; i < 3; i++)
    expect(multicall_entry.x86_64.read(memory.read(mfn, i * size, size))!.result).toBe((4n << 16n) | 17n);
});
