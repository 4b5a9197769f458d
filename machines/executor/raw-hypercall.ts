// A guest's hypercall from its registers, for whoever runs machine code: between steps, each operation at its price.
import type { Ns } from '../../events/units.ts';
import { type AddressSpace, type Caller, hypercall, pseudoPhysical, type Result } from '../../src/hypercall/index.ts';
import { costOf } from './costs.ts';
import type { System } from './system.ts';

export interface Registers {
  /** What stands in the first register, by which a guest says what it wants. */
  readonly number: number;
  /** In the order of the calling convention, unsigned. */
  readonly args: readonly bigint[];
}

export interface RawCall {
  readonly origin: string;
  readonly cause: number;
  /** When the slice ends: lists go on in the next one. */
  readonly until: Ns;
  /** What the guest's pointers mean; as byte addresses in its pages, where left out. */
  readonly space?: AddressSpace;
}

/**
 * One hypercall. Where the result is not done, the guest makes its continuation when it runs again, as if it had asked for that itself. The
 * vCPU may have stopped running meanwhile: it blocked, or its domain ended.
 */
export function rawHypercall(system: System, caller: Caller, { number, args }: Registers, call: RawCall): Result {
  const { xen } = system.host;
  return hypercall(
    {
      xen,
      memory: system.memory,
      space: call.space ?? pseudoPhysical(xen, caller.domid),
      step(command, batch) {
        system.spend(costOf(command));
        return system.hypercall(command, call.origin, call.cause, batch);
      },
      preempt: () => system.now >= call.until,
    },
    caller,
    number,
    args,
  );
}
