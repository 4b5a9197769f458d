import type { ConringFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { FULL_TOKENS } from './state.ts';

/** Applies a fact to Xen's console. Total. */
export function evolve(xen: Xen, event: ConringFact): void {
  const row = xen.console.row.of(0)!;
  switch (event.type) {
    case 'conring.printed':
      xen.console.put(event.text);
      return;
    case 'conring.limited':
      row.limited_at_ms.put(0, event.at_ms);
      row.spent.put(0, FULL_TOKENS - event.tokens);
      row.missed.put(0, event.missed);
      return;
    case 'conring.cleared':
      row.conringc.put(0, event.conringc);
      return;
    case 'conring.thresholds_set':
      xen.console.setThresholds(event);
      return;
    case 'conring.alt_keys_toggled':
      row.alt_keys.put(0, event.alt_keys ? 1 : 0);
      return;
    case 'conring.adjustment_chosen':
      row.adjusts_guest.put(0, event.guest ? 1 : 0);
      return;
    case 'console_io.line_begun':
      if (event.text === '') xen.console.lines.delete(event.domid);
      else xen.console.lines.set(event.domid, { text: event.text });
      return;
    case 'console_io.received': {
      const text = (xen.console.typed.get(0)?.text ?? '') + event.text;
      if (text !== '') xen.console.typed.set(0, { text });
      return;
    }
    case 'console_io.taken': {
      const text = (xen.console.typed.get(0)?.text ?? '').slice(event.count);
      if (text === '') xen.console.typed.delete(0);
      else xen.console.typed.set(0, { text });
      return;
    }
    case 'console_io.switched':
      row.to_xen.put(0, event.to_xen ? 1 : 0);
      row.presses.put(0, event.presses);
      return;
    case 'console_io.written':
      return; // for whoever listens on the serial line
    default:
      event satisfies never;
  }
}
