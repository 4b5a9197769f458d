// A core host as its guests call it: by numbers, registers and bytes.
import { DOMID_XEN, type DomId } from '../../events/units.ts';
import type { Outcome } from '../../events/vocabulary.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { type Caller, hypercall, type Port, pseudoPhysical, type Result } from '../../src/hypercall/index.ts';
import { build } from './arbitraries/domain.ts';
import { CoreHost, smallMachine } from './core-host.ts';

/** `preempt` says how many elements of a list are done at a time; for ever, when left out. */
export function portOf(host: CoreHost, domid: DomId, preempt = Number.POSITIVE_INFINITY): Port {
  let asked = 0;
  return {
    xen: host.xen,
    memory: host.memory,
    space: pseudoPhysical(host.xen, domid),
    step: (command, batch) => host.submit(command as CoreCommand, batch) as Outcome,
    preempt: () => ++asked % preempt === 0,
  };
}

export const callRaw = (host: CoreHost, caller: Caller, number: number, args: readonly bigint[], preempt?: number): Result =>
  hypercall(portOf(host, caller.domid, preempt), caller, number, args);

/** Puts bytes at a byte address of a domain's pages, as far as these are there: a guest's own stores. */
export function store(host: CoreHost, domid: DomId, address: number, bytes: Uint8Array): void {
  for (const [i, byte] of bytes.entries()) {
    const mfn = host.xen.p2m.mfn(domid, Math.floor((address + i) / 4096));
    if (mfn >= 0 && !host.xen.mm.isProtected(mfn)) host.memory.put8(mfn, (address + i) % 4096, byte);
  }
}
export const load = (host: CoreHost, domid: DomId, address: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) =>
    host.memory.get8(host.xen.p2m.mfn(domid, Math.floor((address + i) / 4096)), (address + i) % 4096),
  );

// What tests say in short.

export type Width = 32 | 64;
/** dom0, d1 (a PV guest of the width asked for) and d2 (an HVM guest), each with 2 vCPUs, 16 pages and a vCPU that runs. */
export function hostOf(width: Width = 64): CoreHost {
  const host = new CoreHost(smallMachine);
  host.prepare(
    ...build(0, { vcpus: 2, pages: 16, hvm: false, caller: DOMID_XEN }),
    { type: 'sched.detach', domid: 0, vcpu: 0 },
    ...build(1, { vcpus: 2, pages: 16, hvm: false, size: width }),
    ...build(2, { vcpus: 2, pages: 16, hvm: true }),
    { type: 'sched.schedule', cpu: 0 },
    { type: 'sched.schedule', cpu: 1 },
  );
  return host;
}

/** Little-endian words of 16, 32 or 64 bits, as `[size, value]`. */
export function bytes(...fields: readonly (readonly [16 | 32 | 64, number | bigint])[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [size]) => sum + size / 8, 0)));
  let at = 0;
  for (const [size, value] of fields) {
    for (let i = 0; i < size / 8; i++) view.setUint8(at + i, Number((BigInt(value) >> BigInt(i * 8)) & 255n));
    at += size / 8;
  }
  return new Uint8Array(view.buffer);
}
/** Where structures are put. */
export const AT = 0x3000;
export interface Called {
  readonly domid?: DomId;
  readonly vcpu?: number;
  readonly width?: Width;
  readonly preempt?: number;
}
export const call = (host: CoreHost, number: number, args: readonly (number | bigint)[], by: Called = {}) => {
  const { domid = 1, vcpu = 0, width = 64, preempt } = by;
  return callRaw(
    host,
    { domid, vcpu, width },
    number,
    args.map((arg) => BigInt.asUintN(64, BigInt(arg))),
    preempt,
  );
};
/** What a call returns, with this structure at AT; the errno's name where it is one. */
export function rc(host: CoreHost, number: number, args: readonly (number | bigint)[], struct?: Uint8Array, by: Called = {}) {
  if (struct) store(host, by.domid ?? 1, AT, struct);
  const result = call(host, number, args, by);
  return result.done ? result.rc : 'goes on';
}
