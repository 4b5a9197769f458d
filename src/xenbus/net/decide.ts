// What the two ends of a network interface report, and the bridges that frames go through.
import { accept, refuse } from '../../../events/step.ts';
import type { Ns } from '../../../events/units.ts';
import type { Outcome, VifCommand, VifFact } from '../../../events/vocabulary.ts';
import { forward } from '../../net/bridge.ts';
import { respond } from '../../net/responder.ts';
import type { Vifs } from './state.ts';

export function decide(vifs: Vifs, command: VifCommand, now: Ns): Outcome {
  switch (command.type) {
    case 'vif.connect_frontend': {
      if (!vifs.front.of(command.domid)) return refuse('ESRCH');
      if (vifs.frontRow(command.domid, command.devid) >= 0) return refuse('EBUSY');
      const { type: _, ...end } = command;
      return accept({}, { type: 'vif.frontend_connected', ...end });
    }
    case 'vif.connect_backend': {
      if (!vifs.back.of(command.domid)) return refuse('ESRCH');
      if (vifs.backRow(command.domid, command.frontend, command.devid) >= 0) return refuse('EBUSY');
      const { type: _, ...end } = command;
      return accept({}, { type: 'vif.backend_connected', ...end });
    }
    case 'vif.disconnect': {
      const { domid, frontend, devid } = command;
      const row = domid === frontend ? vifs.frontRow(domid, devid) : vifs.backRow(domid, frontend, devid);
      return row < 0 ? refuse('ENODEV') : accept({}, { type: 'vif.disconnected', domid, frontend, devid });
    }
    case 'vif.note_sent': {
      const { domid, devid, id } = command;
      if (vifs.frontRow(domid, devid) < 0) return refuse('ENODEV');
      const row = vifs.packetRow(domid, devid, id);
      if (row < 0) return refuse('EINVAL');
      if (vifs.tx.of(domid)!.state.is(row) !== 'free') return refuse('EBUSY');
      return accept({}, { ...command, type: 'vif.packet_sent' });
    }
    case 'vif.note_reaped':
    case 'vif.note_posted':
    case 'vif.note_received':
      return vifs.frontRow(command.domid, command.devid) < 0 ? refuse('ENODEV') : accept({}, reported(command));
    case 'vif.note_taken':
    case 'vif.note_filled':
    case 'vif.note_dropped':
      return vifs.backRow(command.domid, command.frontend, command.devid) < 0 ? refuse('ENODEV') : accept({}, reported(command));
    case 'bridge.create': {
      if (vifs.bridgeNumber(command.bridge) >= 0) return refuse('EEXIST');
      const { type: _, ...bridge } = command;
      return accept({}, { type: 'bridge.created', ...bridge });
    }
    case 'bridge.add_port': {
      const { bridge, port } = command;
      if (vifs.bridgeNumber(bridge) < 0) return refuse('ENODEV');
      return vifs.bridgeOf(port) ? refuse('EBUSY') : accept({}, { type: 'bridge.port_added', bridge, port });
    }
    case 'bridge.remove_port': {
      const { bridge, port } = command;
      return vifs.bridgeOf(port)?.name === bridge ? accept({}, { type: 'bridge.port_removed', bridge, port }) : refuse('ENODEV');
    }
    case 'bridge.forward': {
      const { bridge, port, frame } = command;
      const record = vifs.bridgeOf(port);
      if (record?.name !== bridge) return refuse('ENODEV');
      const { to } = forward(record.bridge, port, frame, now);
      return accept({ to }, { type: 'bridge.frame_forwarded', bridge, port, frame, to, at_ns: now });
    }
    case 'bridge.respond': {
      const { bridge, frame } = command;
      const number = vifs.bridgeNumber(bridge);
      if (number < 0) return refuse('ENODEV');
      const { responder, config } = vifs.bridges.get(number)!;
      const { replies } = respond(responder, config, frame, now);
      return accept({ replies: replies.length }, { type: 'bridge.frame_answered', bridge, frame, at_ns: now });
    }
    default:
      return command satisfies never;
  }
}

type Report = Extract<
  VifCommand,
  {
    type: 'vif.note_reaped' | 'vif.note_posted' | 'vif.note_received' | 'vif.note_taken' | 'vif.note_filled' | 'vif.note_dropped';
  }
>;
/** What a driver says of its own ring is so: the ring is its own and the peer's, and nobody else's. */
function reported(command: Report): VifFact {
  switch (command.type) {
    case 'vif.note_reaped':
      return { ...command, type: 'vif.packet_reaped' };
    case 'vif.note_posted':
      return { ...command, type: 'vif.buffers_posted' };
    case 'vif.note_received':
      return { ...command, type: 'vif.packet_received' };
    case 'vif.note_taken':
      return { ...command, type: 'vif.packet_taken' };
    case 'vif.note_filled':
      return { ...command, type: 'vif.packet_filled' };
    case 'vif.note_dropped':
      return { ...command, type: 'vif.packet_dropped' };
  }
}
