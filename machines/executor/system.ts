// What executors are given of the dispatcher: they act between steps, and everything they do that others may see is a step.

import type { DomId, Ns } from '../../events/units.ts';
import type { Command, Outcome } from '../../events/vocabulary.ts';
import type { Host } from '../../src/host.ts';
import type { Memory } from '../../src/memory/memory.ts';
import type { Image } from '../../src/storage/image.ts';

/** A command that an actor has asked for and that its executor has yet to perform. */
export interface Asked {
  readonly command: Command;
  readonly origin: string;
  readonly cause: number;
}

/** Why a slice ended. */
export type Exit = 'blocked' | 'yielded' | 'budget' | 'gone';

export interface System {
  readonly host: Host;
  readonly memory: Memory;
  readonly now: Ns;
  /** The step that was taken last: the cause of what follows from it. */
  readonly lastSeq: number;
  /** Takes a step at once and answers its outcome, as a real hypercall does. `batch` is the place of an element of a list. Never from inside a step. */
  hypercall(command: Command, origin: string, cause: number, batch?: number): Outcome;
  /** A disk by its number in the host's configuration. */
  image(number: number): Image;
  /** Lets virtual time pass on the pCPU whose slice this is. */
  spend(ns: Ns): void;
}

/** Runs the vCPUs of some domains, one slice at a time, the way KVM_RUN runs one. */
export interface Executor {
  /** Runs until the vCPU blocks or yields, its time is up, or its domain stops. */
  run(domid: DomId, vcpu: number, until: Ns): Exit;
  /** A domain is no more: its private state goes. */
  forget(domid: DomId): void;
  /** Something that an actor of a guest has asked for: performed while its vCPU runs. */
  ask(domid: DomId, asked: Asked): void;
  digest(): number;
  snapshot(): unknown;
  restore(snapshot: unknown): void;
}
