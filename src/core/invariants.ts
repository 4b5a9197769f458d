// What always holds for the hypervisor, whatever was asked of it.
import { invariants as console } from './console/invariants.ts';
import { invariants as control } from './control/invariants.ts';
import { invariants as domain } from './domain/invariants.ts';
import { invariants as evtchn } from './evtchn/invariants.ts';
import { invariants as gnttab } from './gnttab/invariants.ts';
import { invariants as hvm } from './hvm/invariants.ts';
import { invariants as mm } from './mm/invariants.ts';
import { invariants as p2m } from './p2m/invariants.ts';
import { invariants as physdev } from './physdev/invariants.ts';
import { invariants as sched } from './sched/invariants.ts';
import { invariants as time } from './time/invariants.ts';
import { invariants as timer } from './timer/invariants.ts';
import { invariants as vcpu } from './vcpu/invariants.ts';
import type { Xen } from './xen.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (xen: Xen) => Iterable<string>;

/** All of them by name: `<subsystem>.<positive statement>`. */
export const coreInvariants: Readonly<Record<string, Invariant>> = {
  ...p2m,
  ...mm,
  ...timer,
  ...time,
  ...sched,
  ...vcpu,
  ...evtchn,
  ...gnttab,
  ...domain,
  ...console,
  ...physdev,
  ...control,
  ...hvm,
};

/** Every violation of every invariant, each with the invariant's name before it. */
export function* violations(xen: Xen): Generator<string> {
  for (const [name, invariant] of Object.entries(coreInvariants)) for (const line of invariant(xen)) yield `${name}: ${line}`;
}
