// Inputs of the operator, and what the toolstack's jobs report.
import { byteString } from '../../events/bytes.ts';
import { accept, refuse } from '../../events/step.ts';
import type { Outcome, ToolstackCommand } from '../../events/vocabulary.ts';
import type { HostConfig } from '../host-config.ts';
import { draw } from '../prng.ts';
import type { Toolstack } from './state.ts';

/** More than anything draws at once. */
const MAX_DRAW = 4096;

export function decide(toolstack: Toolstack, config: HostConfig, command: ToolstackCommand): Outcome {
  const host = toolstack.host.get(0)!;
  switch (command.type) {
    case 'host.boot':
      return host.booted ? refuse('EBUSY') : accept({}, { type: 'host.booted' });
    case 'host.end':
      return accept({}, { type: 'host.ended' });
    case 'host.configuration':
      return accept({ json: JSON.stringify(config) });
    case 'host.draw': {
      if (command.count < 0 || command.count > MAX_DRAW) return refuse('EINVAL');
      const { bytes, state } = draw(host.prng, command.count);
      return accept({ bytes: byteString(bytes) }, { type: 'host.bytes_drawn', state });
    }
    case 'xl.run': {
      const { argv, files } = command;
      return accept({ job: host.next_job }, { type: 'xl.job_started', job: host.next_job, argv, files });
    }
    case 'xl.print': {
      const { job, stream, text } = command;
      return toolstack.jobs.get(job) ? accept({}, { type: 'xl.printed', job, stream, text }) : refuse('ESRCH');
    }
    case 'xl.exit': {
      const { job, rc } = command;
      return toolstack.jobs.get(job) ? accept({}, { type: 'xl.exited', job, rc }) : refuse('ESRCH');
    }
    case 'xl.store_config':
      return accept({}, { type: 'xl.config_stored', domid: command.domid, config: command.config });
    case 'bootloader.run':
      return accept({}, { ...command, type: 'bootloader.started' });
    case 'bootloader.note_result':
      return accept({}, { ...command, type: 'bootloader.finished' });
    case 'hotplug.run':
      return accept({}, { ...command, type: 'hotplug.started' });
    case 'hotplug.note_result':
      return accept({}, { ...command, type: 'hotplug.finished' });
    default:
      return command satisfies never;
  }
}
