import type { EvtchnFact } from '../../../events/vocabulary.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import * as fifo from './fifo-memory.ts';
import { clear, raise, unmask } from './pending.ts';

/** What a fact writes into the domain's shared info page. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: EvtchnFact): void {
  switch (event.type) {
    case 'evtchn.pending_raised':
      raise(xen, frames, event);
      return;
    case 'evtchn.fifo_raised':
      fifo.raised(xen, frames, event);
      return;
    case 'evtchn.unmasked':
      if (xen.evtchn.isFifo(event.domid)) fifo.unmasked(xen, frames, event.domid, event.port);
      else unmask(xen, frames, event.domid, event.port);
      return;
    case 'evtchn.closed':
      if (xen.evtchn.isFifo(event.domid)) fifo.closed(xen, frames, event.domid, event.port);
      else clear(frames, xen.sharedInfo(event.domid), event.port);
      return;
  }
}
