// physdev_op (public/physdev.h): interrupts and devices of the machine, for those domains that may use them.
import { int, operation } from './schema.ts';

export const operations = {
  /** Gives a domain the right to bind a physical interrupt (public/physdev.h); here the two have one number. */
  'physdev.map_pirq': operation({ domid: int, dom: int, pirq: int }, { pirq: int }),
  'physdev.unmap_pirq': operation({ domid: int, dom: int, pirq: int }),
} as const;

export const facts = {
  'physdev.pirq_mapped': { domid: int, pirq: int },
  'physdev.pirq_unmapped': { domid: int, pirq: int },
} as const;
