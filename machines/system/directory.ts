// Which actors exist, and which of them a fact concerns: XState actors, one root each, reachable by id.
import type { Snapshot } from 'xstate';
import type { Command, Fact } from '../../events/vocabulary.ts';
import type { Journal } from '../../src/tables/journal.ts';
import { mix } from '../../src/tables/table.ts';
import { isMirror, type Kind, kinds } from '../kinds.ts';
import { route } from './routes.ts';
import { type Origin, Slot, type Wiring } from './slot.ts';

export interface ActorSnapshot {
  readonly kind: Kind;
  readonly snapshot: Snapshot<unknown>;
}
/** What an actor is doing, for people and for comparison. */
export interface ActorState {
  readonly kind: Kind;
  readonly value: unknown;
  readonly context: unknown;
}

export interface DirectoryOptions {
  /** Machines to use instead of our own: for mutants, and for machines of an embedder. */
  readonly machines?: Partial<typeof kinds>;
}

/** An id's domain, or -1 for what belongs to no domain: the toolstack's jobs, pCPUs. */
export function domainOf(id: string): number {
  const match = /^d(\d+)(?:\.|v\d|$)/.exec(id);
  return match ? Number(match[1]) : -1;
}

export class Directory {
  private readonly slots = new Map<string, Slot>();
  /** Of snapshots whose digest was asked for: they never change, and no two actors have the same one. */
  private readonly texts = new WeakMap<Snapshot<unknown>, string>();
  private readonly journal: Journal;
  private readonly wiring: Wiring;
  private readonly machines: typeof kinds;
  /** The first actor that threw; the dispatcher stops the run. */
  failed: { readonly id: string; readonly error: unknown } | undefined;
  /** How many events went to actors. */
  sends = 0;

  constructor(journal: Journal, ask: (command: Command, id: string) => void, options: DirectoryOptions = {}) {
    this.journal = journal;
    this.machines = { ...kinds, ...options.machines };
    this.wiring = {
      ask,
      fail: (id, error) => {
        this.failed ??= { id, error };
      },
    };
  }

  /** Gives a fact to those whom it concerns, by the table in routes.ts. */
  deliver(fact: Fact, seq: number, origin: string): void {
    route(this, fact, seq, origin);
  }

  has(id: string): boolean {
    return this.slots.has(id);
  }
  /** Whether an actor of this name acts of its own will. */
  hasParty(id: string): boolean {
    const slot = this.slots.get(id);
    return slot !== undefined && !isMirror(slot.kind as Kind);
  }
  /** Ids, in code unit order. */
  ids(): string[] {
    return [...this.slots.keys()].sort(byCodeUnits);
  }
  state(id: string): ActorState | undefined {
    const slot = this.slots.get(id);
    if (!slot) return undefined;
    const { value, context } = slot.snapshot as unknown as { value: unknown; context: unknown };
    return { kind: slot.kind as Kind, value, context };
  }
  context(id: string): Readonly<Record<string, unknown>> | undefined {
    return this.state(id)?.context as Readonly<Record<string, unknown>> | undefined;
  }
  /** The live XState actor, for whoever wants to subscribe to it. Sending to it behind the log's back breaks replay. */
  actor(id: string): Slot['actor'] | undefined {
    return this.slots.get(id)?.actor;
  }

  spawn(id: string, kind: Kind, input: object): void {
    const old = this.slots.get(id);
    this.undoable(() => {
      if (old) this.slots.set(id, old);
      else this.slots.delete(id);
    });
    void this.put(id, kind, { input }).actor; // at once: what it asks on entry is part of this step
  }

  send(id: string, event: { readonly type: string }): void {
    const slot = this.slots.get(id);
    if (!slot || !this.handles(slot.kind as Kind, event.type)) return; // an ignored event would still cost 0.7 us
    if (this.journal.depth > 0 && slot.savedAt !== this.journal.epoch) {
      slot.savedAt = this.journal.epoch;
      const { snapshot } = slot;
      this.journal.recordUndo(() => {
        slot.rewind(snapshot);
      });
    }
    this.sends++;
    slot.actor.send(event as never);
    // A chart that has come to its end has nothing more to say.
    if (slot.snapshot.status === 'done') this.remove(id);
  }

  remove(id: string): void {
    const slot = this.slots.get(id);
    if (!slot) return;
    this.undoable(() => {
      this.slots.set(id, slot);
    });
    this.slots.delete(id);
  }
  /** All actors of a domain: the domain is no more. */
  removeDomain(domid: number): void {
    for (const id of this.slots.keys()) if (domainOf(id) === domid) this.remove(id);
  }

  snapshot(): ReadonlyMap<string, ActorSnapshot> {
    return new Map(
      this.ids().map((id) => [id, { kind: this.slots.get(id)!.kind as Kind, snapshot: this.slots.get(id)!.snapshot }]),
    );
  }
  restore(snapshot: ReadonlyMap<string, ActorSnapshot>): void {
    this.slots.clear();
    for (const [id, { kind, snapshot: state }] of snapshot) this.put(id, kind, { snapshot: state });
  }
  digest(): number {
    let hash = 17;
    for (const id of this.ids()) {
      const { snapshot } = this.slots.get(id)!;
      let text = this.texts.get(snapshot);
      if (text === undefined) {
        text = JSON.stringify([id, this.state(id)]);
        this.texts.set(snapshot, text);
      }
      for (let i = 0; i < text.length; i++) hash = mix(hash, text.charCodeAt(i));
    }
    return hash >>> 0;
  }

  private put(id: string, kind: Kind, from: Origin): Slot {
    const slot = new Slot(id, kind, this.machines[kind], from, this.wiring);
    this.slots.set(id, slot);
    return slot;
  }
  private undoable(undo: () => void): void {
    if (this.journal.depth > 0) this.journal.recordUndo(undo);
  }

  private readonly known = new Map<Kind, Record<string, boolean>>();
  /** Whether a machine has any transition for a type; `machine.events` lists descriptors, `refused.*` included. */
  private handles(kind: Kind, type: string): boolean {
    let known = this.known.get(kind);
    if (known === undefined) {
      known = Object.create(null) as Record<string, boolean>;
      this.known.set(kind, known);
    }
    known[type] ??= (this.machines[kind].events as readonly string[]).some(
      (d) => d === type || d === '*' || (d.endsWith('.*') && type.startsWith(d.slice(0, -1))),
    );
    return known[type];
  }
}

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
