import type { ConsoleFact } from '../../../events/vocabulary.ts';
import type { Consoles } from './state.ts';

/** Applies a fact to the consoles. Total; the only writer of this slice. */
export function evolve(consoles: Consoles, event: ConsoleFact, seq: number): void {
  const rows = consoles.rows.of(0)!;
  const { dom } = event;
  switch (event.type) {
    case 'console.opened':
      rows.state.become(dom, 'open');
      rows.mfn.put(dom, event.mfn);
      rows.local_port.put(dom, event.local_port);
      return;
    case 'console.closed':
      rows.state.become(dom, 'closed');
      rows.mfn.put(dom, 0);
      rows.local_port.put(dom, 0);
      consoles.typed.delete(dom);
      return;
    case 'console.input_queued':
      if (event.text === '') return;
      consoles.typed.set(dom, { text: (consoles.typed.get(dom)?.text ?? '') + event.text, by: seq });
      return;
    case 'console.input_delivered': {
      const typed = consoles.typed.get(dom);
      if (!typed) return;
      const text = typed.text.slice(event.count);
      if (text === '') consoles.typed.delete(dom);
      else consoles.typed.set(dom, { text, by: typed.by });
      return;
    }
    case 'console.output':
      return; // for whoever watches
    default:
      event satisfies never;
  }
}
