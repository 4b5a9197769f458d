// What a stateful run is made of: commands that choose their objects when they run.
import type * as fc from 'fast-check';
import type { DomId } from '../../../events/units.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import type { CoreHost } from '../core-host.ts';

export type Act = fc.Command<object, CoreHost>;
/** The model is empty: what is right is judged by the invariants and the replays. */
export type Acts = fc.Arbitrary<Act>;

/**
 * An act from generated numbers. `run` picks by index among what there is (`pick`), so that the act keeps its meaning while others
 * shrink away; it answers the commands to submit one after the other, or says in words what it did to guest memory.
 */
export function act<T>(numbers: fc.Arbitrary<T>, run: (host: CoreHost, numbers: T) => readonly CoreCommand[] | string): Acts {
  return numbers.map((chosen) => {
    let shown = '-';
    return {
      check: () => true,
      run(_model, host) {
        const wanted = run(host, chosen);
        if (typeof wanted === 'string') {
          shown = wanted;
          return;
        }
        shown = wanted.map(show).join(', ');
        for (const command of wanted) host.submit(command);
      },
      toString: () => shown,
    };
  });
}

export const pick = <T>(list: readonly T[], index: number): T | undefined => list[index % list.length];

/** The domain that an index means: one that exists, or now and then one that can not. */
export function someDomain(host: CoreHost, index: number): DomId {
  const domids = [...host.xen.domids()];
  return pick([...domids, ...domids, ...domids, 0x7ff0, 99], index)!;
}
/** A domain that exists and may ask: dom0 is always there. */
export function aLiveDomain(host: CoreHost, index: number): DomId {
  return pick(
    [...host.xen.domids()].filter((domid) => host.xen.isAlive(domid)),
    index,
  )!;
}

const show = ({ type, ...args }: CoreCommand): string =>
  `${type}(${Object.entries(args)
    .map(([name, value]) => `${name} ${JSON.stringify(value)}`)
    .join(', ')})`;
