// The guest boundary: bytes and typed commands are the same step, and no bytes do harm.
// FC_REPLAY='{"seed":...,"path":"..."}' runs one reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type CommandType, operations } from '../../events/vocabulary.ts';
import { HYPERVISOR } from '../../src/abi/hypercall.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { coreInvariants } from '../../src/core/invariants.ts';
import { rawForms } from '../../src/hypercall/raw-forms.ts';
import { callWith, rawNumbers } from '../../tools/fuzz/arbitraries/hypercall.ts';
import { bootedHost, type CoreHost, smallMachine } from '../../tools/fuzz/index.ts';
import { callRaw, load, store } from '../../tools/fuzz/raw-port.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}');
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 150);

/** Channels, mappings and timers, so that there is something to be right about. */
const linked: readonly CoreCommand[] = [
  { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 },
  { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 1 },
  { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 2 },
  { type: 'evtchn.bind_virq', domid: 1, virq: 0, vcpu: 0 },
  { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
  { type: 'sched.schedule', cpu: 0 },
  { type: 'sched.schedule', cpu: 1 },
];
const linkedHost = (invariants = coreInvariants): CoreHost => bootedHost({ ...smallMachine, invariants }).prepare(...linked);

const forms = Object.keys(rawForms) as (keyof typeof rawForms)[];
/** Small numbers, for what exists has small numbers; now and then an edge. */
const word = fc.oneof(
  { weight: 8, arbitrary: fc.nat(3) },
  { weight: 1, arbitrary: fc.constantFrom(0x5000, 0x7ff0, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff) },
);

test('an operation asked for in bytes is the same step as the typed command, with the same state after it', () => {
  const words = fc.array(word, { minLength: 36, maxLength: 36 });
  const calls = fc.array(fc.record({ type: fc.constantFrom(...forms), words, domid: fc.nat(2) }), { maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(calls, fc.constantFrom<32 | 64>(32, 64), (list, width) => {
      const [raw, typed] = [linkedHost({}), linkedHost({})];
      for (const { type, words, domid } of list) {
        if (!raw.xen.isAlive(domid)) continue;
        const { number, args, head } = rawForms[type]!;
        const at = 0x2000;
        const struct = new Uint8Array(Uint32Array.from(words).buffer);
        head?.((offset, value) => new DataView(struct.buffer).setUint32(offset, value, true), at, width);
        for (const host of [raw, typed]) store(host, domid, at, struct);
        const from = raw.steps.length;
        callRaw(raw, { domid, vcpu: 0, width }, number, args(BigInt(at), BigInt(words[0]!)));
        for (const { command, batch } of raw.steps.slice(from)) {
          typed.submit(command, batch);
        }
        expect(typed.steps.slice(from)).toEqual(raw.steps.slice(from));
      }
      expect([...typed.xen.diff(raw.xen)]).toEqual([]);
    }),
    { numRuns: Math.ceil(numRuns / 2), ...replay },
  );
}, 120_000);

test('every operation that has a raw form is reached in it', () => {
  const seen = new Set<string>();
  for (const type of forms)
    for (const [one, zeros] of [0, 1, 2, 3].flatMap((one) => [0, 3].map((zeros) => [one, zeros] as const))) {
      const host = linkedHost({});
      const { number, args, head } = rawForms[type]!;
      const struct = new Uint8Array(new Uint32Array(36).fill(one, zeros).buffer);
      head?.((offset, value) => new DataView(struct.buffer).setUint32(offset, value, true), 0x2000, 64);
      store(host, 0, 0x2000, struct);
      const from = host.steps.length;
      callRaw(host, { domid: 0, vcpu: 0, width: 64 }, number, args(0x2000n, number === HYPERVISOR.dm_op ? 2n : 0n));
      for (const { command } of host.steps.slice(from)) seen.add(command.type);
    }
  expect(forms.filter((type) => !seen.has(type))).toEqual([]);
});

test('a command of any field values, written as bytes, is read as the same command', () => {
  fc.assert(
    fc.property(fc.constantFrom(...forms), fc.constantFrom<32 | 64>(32, 64), fc.infiniteStream(word), (type, width, numbers) => {
      const form = rawForms[type]!;
      const host = linkedHost({});
      const wanted = form.sample(width, () => numbers.next().value as number);
      if (wanted === undefined) return; // its fields follow from more than its structure
      store(host, 0, 0x2000, wanted.struct);
      callRaw(host, { domid: 0, vcpu: 0, width }, form.number, form.args(0x2000n, 0n));
      expect(host.steps.at(-1)!.command).toMatchObject(wanted.command);
    }),
    { numRuns: numRuns * 4, ...replay },
  );
});

test('any bytes as hypercalls of a guest get an answer, and harm nobody else', () => {
  fc.assert(
    fc.property(fc.array(rawNumbers, { minLength: 1, maxLength: 40 }), (calls) => {
      const host = linkedHost();
      const others = [0, 2];
      const before = others.map((domid) => stateOf(host, domid));
      const rollback = host.journal.mark();
      const digest = { xen: host.xen.digest(), memory: host.memory.digest() };
      for (const numbers of calls) {
        if (!host.xen.isAlive(1)) break;
        expect(callWith(host, numbers, 1)).toMatch(/: (-?\d+|to be gone on with)$/);
      }
      expect(others.map((domid) => stateOf(host, domid))).toEqual(before);
      // What a step says is complete, and a number that the log can hold.
      for (const { command } of host.steps) expect(Object.keys(command).sort()).toEqual(fieldsOf(command.type));
      for (const { command } of host.steps)
        for (const value of Object.values(command)) if (typeof value === 'number') expect(Number.isSafeInteger(value)).toBe(true);
      host.journal.rollback(rollback);
      expect({ xen: host.xen.digest(), memory: host.memory.digest() }).toEqual(digest);
    }),
    { numRuns: Math.ceil(numRuns / 3), ...replay },
  );
});

const fieldsOf = (type: CommandType): string[] => ['type', ...Object.keys(operations[type].args)].sort();

/** All that a domain has that no other may change: its pages, its rows; of its ports what they are, for anybody may raise or close his end. */
function stateOf(host: CoreHost, domid: number): unknown {
  const { xen } = host;
  const { controller_pause_count, state, shut_down, tot_pages, max_pages } = xen.domain.row(0, domid);
  const pages = xen.p2m.of(domid);
  const bytes = pages.flatMap(({ gfn, count }) =>
    Array.from({ length: count }, (_, i) => [...load(host, domid, (gfn + i) * 4096, 4096)]),
  );
  return {
    controller_pause_count,
    state,
    shut_down,
    tot_pages,
    max_pages,
    pages,
    bytes: bytes.map((page) => page.reduce((sum, byte, i) => (sum + byte * (i + 1)) % 65521, 0)),
    ports: [...xen.evtchn.ports.inUse(domid)].map(([port, { notify_vcpu, virq }]) => [port, notify_vcpu, virq]),
    timers: [...xen.timers.rows.inUse(domid)],
    vcpus: [...xen.sched.vcpu.inUse(domid)].map(([vcpu, { up, pauses, initialised }]) => [vcpu, up, pauses, initialised]),
  };
}

test('the calls of the fuzzer reach every hypercall that there is', () => {
  const numbers = new Set<number>();
  for (const { number } of fc.sample(rawNumbers, { numRuns: 5000, seed: 1 })) numbers.add(number);
  for (const form of Object.values(rawForms)) expect(numbers.has(form!.number)).toBe(true);
  expect(numbers.has(HYPERVISOR.multicall)).toBe(true);
});

test('every operation of the tools and of device models has a raw form', () => {
  // In lists; and what is asked in bytes with the state itself.
  const inLists = ['sysctl.getdomaininfolist', 'domctl.setvcpucontext'];
  const without = Object.keys(operations).filter(
    (type) => /^(domctl|sysctl|platform|dm)\./.test(type) && !Object.hasOwn(rawForms, type) && !inLists.includes(type),
  );
  expect(without).toEqual([]);
});
