// One hypercall under way: who makes it, with which registers, and how it takes steps.
import { type Errno, errnoNumber } from '../../events/errno.ts';
import type { DomId } from '../../events/units.ts';
import type { Command, Outcome } from '../../events/vocabulary.ts';
import type { Width } from '../abi/struct.ts';
import type { Xen } from '../core/xen.ts';
import type { Frames } from '../memory/memory.ts';
import { type AddressSpace, GuestMemory } from './guest-memory.ts';

/** What whoever runs a guest gives for its hypercalls. */
export interface Port {
  readonly xen: Xen;
  readonly memory: Frames;
  readonly space: AddressSpace;
  /** Takes a step at once. `batch` is the element's place where the guest asked for a list. */
  step(command: Command, batch?: number): Outcome;
  /** Whether something else should run now: then a list, or a multicall, goes on later. */
  preempt(): boolean;
}

export interface Caller {
  readonly domid: DomId;
  readonly vcpu: number;
  /** Of the guest's registers and pointers, in bits. */
  readonly width: 32 | 64;
  /** The stack pointer, where iret finds its frame; a caller that has none can not make that call. */
  readonly rsp?: bigint;
}

/** The number and arguments of a hypercall that go on with one that was interrupted, as Xen leaves them in the guest's registers. */
export interface Continuation {
  readonly number: number;
  readonly args: readonly bigint[];
}
/** What the guest finds in its first register; or the call that it makes, unknowingly, when it runs again. */
export type Result = { readonly done: true; readonly rc: number } | { readonly done: false; readonly continuation: Continuation };

export const done = (rc: number): Result => ({ done: true, rc });
export const goOn = (number: number, args: readonly bigint[]): Result => ({ done: false, continuation: { number, args } });

/** As a C `unsigned int` argument. */
export const uint = (arg: bigint | undefined): number => Number(BigInt.asUintN(32, arg ?? 0n));

export class Call {
  readonly port: Port;
  readonly caller: Caller;
  readonly number: number;
  readonly args: readonly bigint[];
  readonly guest: GuestMemory;
  /** Counts the elements of all lists of the call; undefined where it is none. */
  private readonly elements: { next: number } | undefined;

  constructor(port: Port, caller: Caller, number: number, args: readonly bigint[], elements?: { next: number }) {
    this.port = port;
    this.caller = caller;
    this.number = number;
    this.args = args;
    this.elements = elements;
    const width: Width = caller.width === 64 ? 'x86_64' : 'x86_32';
    this.guest = new GuestMemory(port.memory, port.space, width);
  }
  get xen(): Xen {
    return this.port.xen;
  }
  arg(index: number): bigint {
    return BigInt.asUintN(this.caller.width, this.args[index] ?? 0n);
  }
  /** The same call as one of several: each of its steps has a place. */
  asList(): Call {
    return this.elements ? this : new Call(this.port, this.caller, this.number, this.args, { next: 0 });
  }
  /** Another call as a part of this one. */
  inner(number: number, args: readonly bigint[]): Call {
    return new Call(this.port, this.caller, number, args, this.elements);
  }

  step(command: Command): Outcome {
    return this.elements ? this.port.step(command, this.elements.next++) : this.port.step(command);
  }
  /** Refused before there is anything to decide, which is a step as well. */
  refuse(errno: Errno, cmd = -1): Result {
    return done(this.refused(errno, cmd));
  }
  refused(errno: Errno, cmd = -1): number {
    const { domid, vcpu } = this.caller;
    const outcome = this.step({ type: 'hypercall.note_refused', domid, vcpu, number: this.number, cmd, errno });
    return errnoNumber(outcome.ok ? errno : outcome.errno);
  }
  /** The same call once more, later. */
  again(): Result {
    return goOn(this.number, this.args);
  }
}
