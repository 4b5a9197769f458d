import type { FactOf } from '../../events/vocabulary.ts';
import { hotplugPlan, type Plugging } from '../../src/toolstack/libxl/hotplug.ts';
import { planMachine } from './plan-machine.ts';

/** A hotplug script of dom0 (a party), from its start to its exit. */
export const hotplug = planMachine<FactOf<'hotplug.started'> & { readonly id: string }>(
  'hotplug',
  { script: hotplugPlan },
  ({ id, type: _, ...started }) => ({
    plan: 'script',
    p: { ...started, self: id, conn: 0, tx: 0, bridge: '', error: '' } satisfies Plugging,
  }),
);
