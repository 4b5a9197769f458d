// xenconsoled (tools/console/daemon/io.c): one ring for each domain.
import { accept, refuse } from '../../../events/step.ts';
import type { ConsoleCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../../core/xen.ts';
import type { Consoles } from './state.ts';

/** As much as may wait for a guest that does not read: a terminal's line buffer, generously. */
const TYPED_MAX = 65536;

export function decide(xen: Xen, consoles: Consoles, command: ConsoleCommand): Outcome {
  const { dom } = command;
  const open = consoles.rows.of(0)!.state.is(dom) === 'open';
  switch (command.type) {
    case 'console.open':
      if (!xen.exists(dom)) return refuse('ESRCH');
      if (open) return refuse('EBUSY');
      return accept({}, { type: 'console.opened', dom, mfn: command.mfn, local_port: command.local_port });
    case 'console.close':
      return open ? accept({}, { type: 'console.closed', dom }) : refuse('ENOENT');
    case 'console.note_output':
      return accept({}, { type: 'console.output', dom, text: command.text });
    case 'console.note_typed':
      return accept({}, { type: 'console.input_delivered', dom, count: command.count });
    case 'console.input': {
      if (!open) return refuse('ENOENT');
      const waiting = consoles.typed.get(dom)?.text.length ?? 0;
      if (waiting + command.text.length > TYPED_MAX) return refuse('ENOSPC');
      return accept({}, { type: 'console.input_queued', dom, text: command.text });
    }
    default:
      return command satisfies never;
  }
}
