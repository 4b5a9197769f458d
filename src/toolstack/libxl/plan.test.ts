import { describe, expect, test } from 'vitest';
import { xlPlans } from '../xl/begin.ts';
import { bootPlan } from './boot.ts';
import { daemonPlan } from './daemon.ts';
import { hotplugPlan } from './hotplug.ts';
import { answer, END, type Plan, refusal } from './plan.ts';

const plans: Readonly<Record<string, Plan<object>>> = { ...xlPlans, boot: bootPlan, hotplug: hotplugPlan, daemon: daemonPlan };

describe.each(Object.entries(plans))('%s', (_, plan) => {
  const names = Object.keys(plan);

  test('leads only to phases that it has', () => {
    for (const { to } of Object.values(plan)) for (const name of to) expect([...names, END]).toContain(name);
  });
  test('comes to each of its phases, and from each to its end', () => {
    const reached = new Set<string>();
    const visit = (name: string): void => {
      if (reached.has(name)) return;
      reached.add(name);
      for (const next of plan[name]?.to ?? []) visit(next);
    };
    visit(names[0]!);
    expect([...reached].sort()).toEqual([...names, END].sort());
    for (const name of names) {
      reached.clear();
      visit(name);
      expect(reached).toContain(END);
    }
  });
});

test('an answer is there where the command was accepted, and is of this command', () => {
  expect(answer({ type: 'accepted.xenstore.read', value: 'x' } as never, 'xenstore.read')?.value).toBe('x');
  expect(answer({ type: 'refused.xenstore.read', errno: 'ENOENT' }, 'xenstore.read')).toBeUndefined();
  expect(answer({ type: 'accepted.xenstore.directory' }, 'xenstore.read')).toBeUndefined();
  expect(answer(undefined, 'xenstore.read')).toBeUndefined();
});

test('the first refusal that matters', () => {
  const returns = [
    { type: 'accepted.xenstore.write' },
    { type: 'refused.xenstore.rm', errno: 'ENOENT' },
    { type: 'refused.xenstore.transaction_end', errno: 'EAGAIN' },
  ] as const;
  expect(refusal(returns)).toEqual({ what: 'xenstore.rm', errno: 'ENOENT' });
  expect(refusal(returns, 'ENOENT')).toEqual({ what: 'xenstore.transaction_end', errno: 'EAGAIN' });
  expect(refusal(returns, 'ENOENT', 'EAGAIN')).toBeUndefined();
});
