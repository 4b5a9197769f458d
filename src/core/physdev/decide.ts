// physdev_op (xen/arch/x86/physdev.c): interrupts and devices of the machine.
import { accept, refuse } from '../../../events/step.ts';
import type { Fact, Outcome, PhysdevCommand } from '../../../events/vocabulary.ts';
import { NR_PIRQS } from '../evtchn/state.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';

export function decide(xen: Xen, command: PhysdevCommand): Outcome {
  const { domid } = command;
  switch (command.type) {
    case 'physdev.map_pirq':
    case 'physdev.unmap_pirq': {
      const { pirq } = command;
      if (!isPrivileged(domid)) return refuse('EPERM');
      const dom = xen.self(domid, command.dom);
      if (!xen.isAlive(dom)) return refuse('ESRCH');
      if (pirq < 0 || pirq >= NR_PIRQS) return refuse('EINVAL');
      const isMapped = xen.evtchn.pirqs.of(dom)?.state.is(pirq) === 'mapped';
      if (command.type === 'physdev.map_pirq')
        return isMapped ? accept({ pirq }) : accept({ pirq }, { type: 'physdev.pirq_mapped', domid: dom, pirq });
      if (!isMapped) return refuse('EINVAL');
      const port = xen.evtchn.pirqs.of(dom)!.port.at(pirq);
      const unmapped: Fact = { type: 'physdev.pirq_unmapped', domid: dom, pirq };
      const facts: Fact[] = port === 0 ? [unmapped] : [{ type: 'evtchn.closed', domid: dom, port }, unmapped];
      return accept({}, ...facts);
    }
    default:
      return command satisfies never;
  }
}
