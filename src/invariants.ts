// What always holds for a host, whatever was asked of it: the invariants of every subsystem in one list.
import { coreInvariants } from './core/invariants.ts';
import { invariants as guest } from './guest/invariants.ts';
import type { Host } from './host.ts';
import { invariants as toolstack } from './toolstack/invariants.ts';
import { invariants as block } from './xenbus/block/invariants.ts';
import { invariants as console } from './xenbus/console/invariants.ts';
import { invariants as net } from './xenbus/net/invariants.ts';
import { invariants as xenstore } from './xenstore/invariants.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type HostInvariant = (host: Host) => Iterable<string>;

/** All of them by name: `<subsystem>.<positive statement>`. */
export const hostInvariants: Readonly<Record<string, HostInvariant>> = {
  ...over(coreInvariants, ({ xen }: Host) => xen),
  ...over(xenstore, ({ store }: Host) => store),
  ...guest,
  ...console,
  ...block,
  ...net,
  ...toolstack,
};

/** Every violation of every invariant, each with the invariant's name before it. */
export function* hostViolations(host: Host): Generator<string> {
  for (const [name, invariant] of Object.entries(hostInvariants)) for (const line of invariant(host)) yield `${name}: ${line}`;
}

/** Invariants of a part of the host, as invariants of the host. */
function over<Part>(
  invariants: Readonly<Record<string, (part: Part) => Iterable<string>>>,
  part: (host: Host) => Part,
): Record<string, HostInvariant> {
  return Object.fromEntries(Object.entries(invariants).map(([name, invariant]) => [name, (host: Host) => invariant(part(host))]));
}
