import type { EvtchnFact } from '../../../events/vocabulary.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';
import * as fifo from './fifo-memory.ts';
import { clear, raise, unmask } from './pending.ts';

/** What a fact writes into the domain's shared info page. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: EvtchnFact): void {
  const page = xen.sharedInfo(event.domid);
  switch (event.type) {
    case 'evtchn.pending_raised':
      raise(frames, page, event.port, event.vcpu, event.upcall);
      return;
    case 'evtchn.fifo_raised':
      fifo.raised(xen, frames, event);
      return;
    case 'evtchn.unmasked':
      if (xen.evtchn.isFifo(event.domid)) fifo.unmasked(xen, frames, event.domid, event.port);
      else unmask(frames, page, event.port);
      return;
    case 'evtchn.closed':
      if (xen.evtchn.isFifo(event.domid)) fifo.closed(xen, frames, event.domid, event.port);
      else clear(frames, page, event.port);
      return;
  }
}
