// Mirrors go through the same few states over and over. XState takes some microseconds to find where an event leads; here it is asked once
// for each state and event of an actor.
import type { AnyStateMachine } from 'xstate';
import type { FactOf, FactType } from '../events/vocabulary.ts';

/** For each type of event of which the transitions look at more than the type: the field that they look at. */
export type LooksAt = { readonly [T in FactType]?: keyof FactOf<T> & string };

/** Where events lead from one snapshot, and the snapshots that its actor has had: equal ones are the same object. */
interface Known {
  readonly next: Map<unknown, object>;
  readonly had: Map<string, object>;
}

/** An actor that has had more different snapshots than this begins anew. */
const MOST = 64;

/**
 * A machine that remembers its transitions. Only for one without effects: its actions assign, its guards and assigners look at the context,
 * at the event's type, and at the field of it that `looksAt` names.
 */
export function remembering(machine: AnyStateMachine, looksAt: LooksAt = {}): AnyStateMachine {
  const known = new WeakMap<object, Known>();
  const transition: AnyStateMachine['transition'] = (snapshot, event, scope) => {
    let here = known.get(snapshot);
    if (!here) {
      here = { next: new Map(), had: new Map([[textOf(snapshot), snapshot]]) };
      known.set(snapshot, here);
    }
    const field = looksAt[event.type as FactType];
    const key = field === undefined ? event.type : `${event.type} ${event[field]}`;
    const found = here.next.get(key);
    if (found) return found as typeof snapshot;
    const { had } = here;
    const made = machine.transition(snapshot, event, scope);
    const text = textOf(made);
    const next = had.get(text) ?? made;
    here.next.set(key, next);
    if (next === made && !known.has(made)) {
      had.set(text, made);
      known.set(made, { next: new Map(), had: had.size < MOST ? had : new Map() });
    }
    return next as typeof snapshot;
  };
  return Object.assign(Object.create(machine) as AnyStateMachine, { transition });
}

const textOf = ({ status, value, context }: { status: string; value: unknown; context: unknown }): string =>
  JSON.stringify([status, value, context]);
