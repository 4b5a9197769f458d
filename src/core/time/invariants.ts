import type { Invariant } from '../invariants.ts';

export const invariants: Readonly<Record<string, Invariant>> = {
  *'time.xenKeepsTheCounterThatItAnswers'(xen) {
    const { vtsc, tsc_mode, tsc_khz } = xen.domain.of(0)!;
    for (const domid of xen.domids()) {
      const mode = tsc_mode.is(domid);
      const isEmulated = vtsc.at(domid) === 1;
      if (mode === 'never_emulate' ? isEmulated : isEmulated !== (mode === 'always_emulate' || tsc_khz.at(domid) !== 0))
        yield `d${domid}'s counter is ${isEmulated ? '' : 'not '}emulated, in mode ${mode} at ${tsc_khz.at(domid)} kHz`;
    }
  },

  *'time.onlyPvIs32bit'(xen) {
    const { hvm, is_32bit } = xen.domain.of(0)!;
    for (const domid of xen.domids())
      if (is_32bit.at(domid) === 1 && hvm.at(domid) === 1) yield `d${domid} is an HVM domain with structures of 32 bits`;
  },
};
