// Hypercalls as bytes: any number, any registers, any structures, half of them out of memory.
import * as fc from 'fast-check';
import { XEN_DOMCTL_INTERFACE_VERSION } from '../../../src/abi/domctl.ts';
import { HYPERVISOR } from '../../../src/abi/hypercall.ts';
import { XENPF_INTERFACE_VERSION } from '../../../src/abi/platform.ts';
import type { CoreHost } from '../core-host.ts';
import { callRaw, store } from '../raw-port.ts';
import { type Acts, act, aLiveDomain } from './act.ts';
import { edges } from './vocabulary.ts';

export interface RawNumbers {
  readonly domain: number;
  readonly vcpu: number;
  readonly width: 32 | 64;
  readonly number: number;
  readonly cmd: number;
  readonly count: number;
  readonly page: number;
  readonly offset: number;
  readonly words: readonly number[];
  readonly preempt: number;
}

const some = [
  HYPERVISOR.event_channel_op,
  HYPERVISOR.grant_table_op,
  HYPERVISOR.memory_op,
  HYPERVISOR.sched_op,
  HYPERVISOR.vcpu_op,
  HYPERVISOR.set_timer_op,
  HYPERVISOR.xen_version,
  HYPERVISOR.multicall,
  HYPERVISOR.domctl,
  HYPERVISOR.sysctl,
  HYPERVISOR.physdev_op,
  HYPERVISOR.hvm_op,
  HYPERVISOR.console_io,
  HYPERVISOR.platform_op,
  HYPERVISOR.dm_op,
  HYPERVISOR.mmu_update,
  HYPERVISOR.mmuext_op,
  HYPERVISOR.update_va_mapping,
  HYPERVISOR.set_gdt,
  HYPERVISOR.callback_op,
  HYPERVISOR.iret,
];
const u32 = fc.oneof(
  { weight: 6, arbitrary: fc.nat(8) },
  { weight: 1, arbitrary: fc.constantFrom(...edges.map((edge) => (edge % 2 ** 32) >>> 0)) },
  { weight: 1, arbitrary: fc.nat(0xffffffff) },
  // An address in the first pages.
  { weight: 2, arbitrary: fc.nat(0x7fff) },
);
export const rawNumbers: fc.Arbitrary<RawNumbers> = fc.record({
  domain: fc.nat(),
  vcpu: fc.nat(2),
  width: fc.constantFrom(32, 64),
  number: fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...some) }, { weight: 1, arbitrary: fc.nat(70) }),
  cmd: fc.oneof({ weight: 9, arbitrary: fc.nat(33) }, { weight: 1, arbitrary: u32 }),
  count: fc.oneof({ weight: 8, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: u32 }),
  page: fc.nat(7),
  // At a page's end, where a structure goes on in the next page or nowhere.
  offset: fc.oneof(
    fc.nat({ max: 1000 }).map((n) => n * 4),
    fc.integer({ min: 4000, max: 4095 }),
  ),
  words: fc.array(u32, { maxLength: 40 }),
  preempt: fc.integer({ min: 1, max: 5 }),
});

const dmBuffers = (address: number, width: 32 | 64): number[] =>
  width === 64 ? [address + 32, 0, 256, 0, address, 0, 64, 0] : [address + 32, 256, address, 64, 0, 0, 0, 0];
const versionOf = (number: number): number =>
  number === HYPERVISOR.platform_op ? XENPF_INTERFACE_VERSION : XEN_DOMCTL_INTERFACE_VERSION;

/** Makes the call, and says what came of it. */
export function callWith(host: CoreHost, numbers: RawNumbers, domid: number): string {
  const { vcpu, width, number, cmd, count, page, offset, preempt } = numbers;
  const words = [...numbers.words];
  const isControl = number === HYPERVISOR.domctl || number === HYPERVISOR.sysctl || number === HYPERVISOR.platform_op;
  if (isControl) words.splice(0, 2, cmd, (count & 3) === 3 ? count : versionOf(number));
  // An entry of a multicall is a hypercall of its own.
  if (number === HYPERVISOR.multicall && words.length > 4) words[0] = some[words[0]! % some.length]!;
  const address = page * 4096 + offset;
  // The first buffer of a device model's call stands right behind the list of buffers.
  if (number === HYPERVISOR.dm_op) words.splice(0, 9, ...dmBuffers(address, width), cmd);
  store(host, domid, address, new Uint8Array(Uint32Array.from(words).buffer));
  const pointer = count === 2 ** 32 - 1 ? 2n ** 63n : BigInt(address);
  const args = [HYPERVISOR.multicall, HYPERVISOR.domctl, HYPERVISOR.sysctl, HYPERVISOR.platform_op].some((own) => own === number)
    ? [pointer, BigInt(count)]
    : number === HYPERVISOR.vcpu_op
      ? [BigInt(cmd), BigInt(count), pointer]
      : number === HYPERVISOR.dm_op
        ? [BigInt(count), 2n, pointer]
        : [BigInt(cmd), pointer, BigInt(count)];
  let result = callRaw(host, { domid, vcpu, width, rsp: BigInt(address) }, number, args, preempt);
  // It goes on for a while, as long as there is somebody to go on.
  for (let i = 0; i < 8 && !result.done && host.xen.isAlive(domid); i++)
    result = callRaw(host, { domid, vcpu, width }, result.continuation.number, result.continuation.args, preempt);
  return `d${domid}v${vcpu} calls ${number} of ${args.join(' ')} with ${words.join(' ')}: ${result.done ? result.rc : 'to be gone on with'}`;
}

export const hypercallActs: readonly Acts[] = [
  act(rawNumbers, (host, numbers) => callWith(host, numbers, aLiveDomain(host, numbers.domain))),
  act(rawNumbers, (host, numbers) =>
    callWith(host, { ...numbers, number: HYPERVISOR.event_channel_op }, aLiveDomain(host, numbers.domain)),
  ),
];
