// A core host as its guests call it: by numbers, registers and bytes.
import type { DomId } from '../../events/units.ts';
import type { Outcome } from '../../events/vocabulary.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { type Caller, hypercall, type Port, pseudoPhysical, type Result } from '../../src/hypercall/index.ts';
import type { CoreHost } from './core-host.ts';

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
    if (mfn >= 0) host.memory.put8(mfn, (address + i) % 4096, byte);
  }
}
export const load = (host: CoreHost, domid: DomId, address: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) =>
    host.memory.get8(host.xen.p2m.mfn(domid, Math.floor((address + i) / 4096)), (address + i) % 4096),
  );
