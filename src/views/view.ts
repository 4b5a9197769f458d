// A view: what people watch, kept up to date from the steps. Its changes come as patches.
import { type Draft, enablePatches, type Patch, produceWithPatches } from 'immer';
import type { Fact, FactType, Step } from '../../events/vocabulary.ts';

export type { Patch } from 'immer';

/** How facts become something to look at: one function, over an immutable state. */
export interface Projection<S extends object> {
  readonly initial: S;
  /** The facts that may change it; all others are not looked at, for a recipe costs far more than a fact. */
  readonly facts: ReadonlySet<FactType>;
  apply(draft: Draft<S>, fact: Fact, step: Step): void;
}

/** Told after every change: the new state, and the patches (as of RFC 6902, with paths as lists) that lead to it. */
export type Watcher<S> = (state: S, patches: readonly Patch[], step: Step) => void;

export class View<S extends object> {
  readonly projection: Projection<S>;
  /** The present state: a value of its own, never changed. */
  state: S;
  private readonly watchers = new Set<Watcher<S>>();

  /** Starts from nothing, or from where another view of the same projection is. */
  constructor(projection: Projection<S>, state: S = projection.initial) {
    enablePatches();
    this.projection = projection;
    this.state = state;
  }

  /** Takes in a step. Steps come in order, each once. */
  see(step: Step): void {
    const { projection } = this;
    for (const fact of step.outcome.events ?? []) {
      if (!projection.facts.has(fact.type)) continue;
      const [next, patches] = produceWithPatches(this.state, (draft) => projection.apply(draft, fact, step));
      if (patches.length === 0) continue;
      this.state = next;
      for (const watcher of this.watchers) watcher(next, patches, step);
    }
  }

  /** Answers a function that ends the subscription. */
  subscribe(watcher: Watcher<S>): () => void {
    this.watchers.add(watcher);
    return () => void this.watchers.delete(watcher);
  }
}
