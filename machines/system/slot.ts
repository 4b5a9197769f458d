// One actor's place in the directory.
import { type AnyActor, type AnyStateMachine, createActor, type Snapshot } from 'xstate';
import type { Command } from '../../events/vocabulary.ts';

/** What an actor starts from: its input, or a snapshot, which is an immutable value. */
export type Origin = { readonly input: object } | { readonly snapshot: Snapshot<unknown> };

/** What the directory does for the actors in its slots. Neither may throw: see STYLE.md section 6. */
export interface Wiring {
  /** An actor asks for something. */
  ask(command: Command, id: string): void;
  /** An actor threw. */
  fail(id: string, error: unknown): void;
}

/** An actor is made when its first event comes, and unmade by a rewind; its snapshot is there all the time. */
export class Slot {
  readonly id: string;
  readonly kind: string;
  /** The journal's epoch in which its snapshot was last kept for undo. */
  savedAt = -1;
  private readonly machine: AnyStateMachine;
  private readonly wiring: Wiring;
  private from: Origin;
  private made: AnyActor | undefined;

  constructor(id: string, kind: string, machine: AnyStateMachine, from: Origin, wiring: Wiring) {
    this.id = id;
    this.kind = kind;
    this.machine = machine;
    this.from = from;
    this.wiring = wiring;
  }

  get actor(): AnyActor {
    if (!this.made) {
      const { id, wiring } = this;
      const actor = createActor(this.machine, { id, clock: noClock, ...this.from } as never) as AnyActor;
      actor.on('*', (command) => {
        wiring.ask(command as unknown as Command, id);
      });
      actor.subscribe({
        error: (error) => {
          wiring.fail(id, error);
        },
      });
      this.made = actor;
      actor.start(); // one made from a snapshot runs no entry action
    }
    return this.made;
  }

  get snapshot(): Snapshot<unknown> {
    if (this.made) return this.made.getSnapshot() as Snapshot<unknown>;
    return 'snapshot' in this.from ? this.from.snapshot : (this.actor.getSnapshot() as Snapshot<unknown>);
  }

  /** Back to an earlier snapshot; the actor is made again when it is next needed. */
  rewind(snapshot: Snapshot<unknown>): void {
    this.made = undefined;
    this.from = { snapshot };
  }
}

/** Forbids `after`: a deadline that matters is a timer of the hypervisor, and so in the log. */
const noClock = {
  setTimeout(): never {
    throw new Error('machines have no clock of their own: set a timer and wait for its fact');
  },
  clearTimeout(): void {},
};
