import { type AnyStateMachine, assign, enqueueActions, setup } from 'xstate';
import { HypervisorBug } from '../../events/step.ts';
import type { Command } from '../../events/vocabulary.ts';
import { END, type Heard, type Next, type Phase, type Plan, type Return } from '../../src/toolstack/libxl/plan.ts';

/** Plans by name, whatever they know. */
type Plans = Readonly<Record<string, Plan<object>>>;

/** What an actor begins with: which of its plans, and what that plan knows from the start; undefined: nothing is to be done. */
export interface Begun {
  readonly plan: string;
  readonly p: object;
}

export interface PlanContext {
  /** The plan and its phase: `create.makingDomain`. It is the state's name too. */
  readonly at: string;
  readonly p: object;
  /** How many returns are still to come, and those that have. */
  readonly asked: number;
  readonly returns: readonly Return[];
  /** Facts that no phase has waited for yet, oldest first; one that is told twice is kept once. */
  readonly heard: readonly Heard[];
  /** Where to go, '' while that is not known. */
  readonly to: string;
}

/**
 * A party that carries out a plan: a chart with a compound state for each of its plans and a state for each of their phases. A phase
 * asks, collects its returns, and says what follows. The commands of one phase go out together; the returns come in their order.
 */
export function planMachine<I>(id: string, plans: Plans, begin: (input: I) => Begun | undefined): AnyStateMachine {
  const phaseAt = (at: string): Phase<object> | undefined => {
    const [plan = '', phase = ''] = at.split('.');
    return plans[plan]?.[phase];
  };
  const states = Object.fromEntries(
    Object.entries(plans).map(([plan, phases]) => [
      plan,
      {
        initial: Object.keys(phases)[0],
        states: Object.fromEntries(
          Object.entries(phases).map(([name, phase]) => [
            name,
            {
              entry: { type: 'begin', params: { at: `${plan}.${name}` } },
              always: phase.to.map((to) => ({
                guard: { type: 'goesTo', params: { to } },
                target: to === END ? `#${id}.${END}` : to,
                reenter: true,
              })),
            },
          ]),
        ),
      },
    ]),
  );
  return setup({
    types: {
      input: {} as I,
      context: {} as PlanContext,
      events: {} as Heard | Return,
      emitted: {} as Command,
    },
    guards: {
      goesTo: ({ context }, { to }: { to: string }) => context.to === to,
    },
    actions: {
      begin: enqueueActions(({ context, enqueue }, { at }: { at: string }) => {
        const phase = phaseAt(at);
        const commands = phase?.ask?.(context.p) ?? [];
        const fresh = { ...context, at, asked: commands.length, returns: [], to: '' };
        enqueue.assign({ ...fresh, ...settled(fresh, phase) });
        for (const command of commands) enqueue.emit(command);
      }),
      keepReturn: assign(({ context, event }) => {
        const returns = [...context.returns, event as Return];
        return { returns, ...settled({ ...context, returns }, phaseAt(context.at)) };
      }),
      hear: assign(({ context, event }) => {
        const heard = withFact(context.heard, event as Heard);
        return { heard, ...settled({ ...context, heard }, phaseAt(context.at)) };
      }),
    },
  }).createMachine({
    id,
    context: ({ input }: { input?: I }) => {
      const first = input === undefined ? undefined : begin(input);
      const nothing = { at: '', asked: 0, returns: [], heard: [] };
      return { ...nothing, p: first?.p ?? {}, to: first?.plan ?? END };
    },
    initial: 'choosing',
    on: {
      'accepted.*': { actions: 'keepReturn' },
      'refused.*': { actions: 'keepReturn' },
      'xenstore.watch_fired': { actions: 'hear' },
      'hotplug.finished': { actions: 'hear' },
      'bootloader.finished': { actions: 'hear' },
    },
    states: {
      choosing: {
        always: [...Object.keys(plans), END].map((to) => ({ guard: { type: 'goesTo', params: { to } }, target: to })),
      },
      ...states,
      [END]: { type: 'final' },
    },
  } as never) as unknown as AnyStateMachine;
}

/** What follows, if all returns have come (none, for a phase that asks for nothing), and what it waits for has been heard. */
function settled(context: PlanContext, phase: Phase<object> | undefined): Partial<PlanContext> {
  const { at, p, asked, returns, heard } = context;
  if (!phase || context.to !== '' || returns.length < asked) return {};
  if ('learn' in phase) return declared(at, phase, phase.learn(p, returns));
  for (const [i, fact] of heard.entries()) {
    const next = phase.hear(p, fact);
    if (next) return { ...declared(at, phase, next), heard: heard.toSpliced(i, 1) };
  }
  return {};
}

/** A phase that is left for one that it has not declared would be left for nowhere. */
function declared(at: string, { to }: Phase<object>, next: Next<object>): Next<object> {
  if (!to.includes(next.to)) throw new HypervisorBug(`${at} is followed by ${next.to}, which it does not declare`);
  return next;
}

const withFact = (heard: readonly Heard[], fact: Heard): readonly Heard[] => {
  const text = JSON.stringify(fact);
  return heard.some((one) => JSON.stringify(one) === text) ? heard : [...heard, fact];
};
