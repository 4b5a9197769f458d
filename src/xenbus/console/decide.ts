// xenconsoled (tools/console/daemon/io.c): one ring for each domain.
import { accept, refuse } from '../../../events/step.ts';
import type { ConsoleCommand, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../../core/xen.ts';
import type { Consoles } from './state.ts';

/** As much as may wait for a guest that does not read: a terminal's line buffer, generously. */
export const TYPED_MAX = 65536;
/** No ring holds more than this at once (public/io/console.h, XENCONS_RING sizes, with room to spare). */
const OUTPUT_MAX = 65536;

/**
 * Checks what xenconsoled reports and what is typed. EPERM for any domain but dom0; ENOENT where no console is open; EINVAL for a ring or
 * a channel that is not the domain's, or a count of what was never typed; ENOSPC where too much waits already.
 */
export function decide(xen: Xen, consoles: Consoles, command: ConsoleCommand): Outcome {
  const { dom } = command;
  if (command.type !== 'console.input' && command.domid !== 0) return refuse('EPERM');
  const open = consoles.rows.of(0)!.state.is(dom) === 'open';
  switch (command.type) {
    case 'console.open': {
      const { mfn, local_port } = command;
      if (!xen.exists(dom)) return refuse('ESRCH');
      if (open) return refuse('EBUSY');
      const ports = xen.evtchn.ports.of(0)!;
      const isBound = ports.state.is(local_port) === 'interdomain' && ports.remote_dom.at(local_port) === dom;
      if (xen.p2m.gfn(dom, mfn) < 0 || !isBound) return refuse('EINVAL');
      return accept({}, { type: 'console.opened', dom, mfn, local_port });
    }
    case 'console.close':
      return open ? accept({}, { type: 'console.closed', dom }) : refuse('ENOENT');
    case 'console.note_output':
      if (!open) return refuse('ENOENT');
      if (command.text.length > OUTPUT_MAX) return refuse('E2BIG');
      return accept({}, { type: 'console.output', dom, text: command.text });
    case 'console.note_typed': {
      const { count } = command;
      const waiting = consoles.typed.get(dom)?.text.length ?? 0;
      if (!open) return refuse('ENOENT');
      if (!(count > 0 && count <= waiting)) return refuse('EINVAL');
      return accept({}, { type: 'console.input_delivered', dom, count });
    }
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
