// Inputs of the operator, and what the toolstack's jobs report.
import { byteString } from '../../events/bytes.ts';
import { accept, refuse } from '../../events/step.ts';
import { DOMID_FIRST_RESERVED, type DomId } from '../../events/units.ts';
import type { Outcome, ToolstackCommand, ToolstackFact } from '../../events/vocabulary.ts';
import type { HostConfig } from '../host-config.ts';
import { draw } from '../prng.ts';
import { isRunning, type Toolstack } from './state.ts';

/** More than anything draws at once. */
const MAX_DRAW = 4096;
/** What a command line may be (ARG_MAX of Linux); what may be printed or kept at once. */
const MAX_ARGS = 2 << 20;
const MAX_TEXT = 16 << 20;

/**
 * Checks what jobs report. ESRCH for a job that does not run or an id that no domain can have, E2BIG for what is too long, EINVAL for an
 * exit code that is no byte.
 */
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
      if (!(command.count >= 0 && command.count <= MAX_DRAW)) return refuse('EINVAL');
      const { bytes, state } = draw(host.prng, command.count);
      return accept({ bytes: byteString(bytes) }, { type: 'host.bytes_drawn', state });
    }
    case 'xl.run': {
      const { argv, files } = command;
      if (lengthOf(argv) > MAX_ARGS || lengthOf(files) > MAX_TEXT) return refuse('E2BIG');
      return accept({ job: host.next_job }, { type: 'xl.job_started', job: host.next_job, argv, files });
    }
    case 'xl.print': {
      const { job, stream, text } = command;
      if (!isRunning(toolstack, job)) return refuse('ESRCH');
      return text.length > MAX_TEXT ? refuse('E2BIG') : accept({}, { type: 'xl.printed', job, stream, text });
    }
    case 'xl.exit': {
      const { job, rc } = command;
      if (!isRunning(toolstack, job)) return refuse('ESRCH');
      return (rc & 0xff) === rc ? accept({}, { type: 'xl.exited', job, rc }) : refuse('EINVAL');
    }
    case 'xl.store_config': {
      const { domid, config } = command;
      if (!isDomain(domid)) return refuse('ESRCH');
      return config.length > MAX_TEXT ? refuse('E2BIG') : accept({}, { type: 'xl.config_stored', domid, config });
    }
    case 'bootloader.run':
    case 'bootloader.note_result':
    case 'hotplug.run':
    case 'hotplug.note_result': {
      const { job } = command;
      if (!(job < 0 ? isDomain(-job) : isRunning(toolstack, job))) return refuse('ESRCH');
      if ('domid' in command && !isDomain(command.domid)) return refuse('ESRCH');
      return lengthOf(Object.values(command).filter((value) => typeof value === 'string')) > MAX_TEXT
        ? refuse('E2BIG')
        : accept({}, reported(command));
    }
    default:
      return command satisfies never;
  }
}

type Script = Extract<
  ToolstackCommand,
  { type: 'bootloader.run' | 'bootloader.note_result' | 'hotplug.run' | 'hotplug.note_result' }
>;
/** What a job starts and what becomes of it: for the job alone, so what it says is so. */
function reported(command: Script): ToolstackFact {
  switch (command.type) {
    case 'bootloader.run':
      return { ...command, type: 'bootloader.started' };
    case 'bootloader.note_result':
      return { ...command, type: 'bootloader.finished' };
    case 'hotplug.run':
      return { ...command, type: 'hotplug.started' };
    case 'hotplug.note_result':
      return { ...command, type: 'hotplug.finished' };
  }
}

/**
 * Whether it may be a domain's id. Not whether the domain is there: scripts take away what is left of one that is gone, and the job of a
 * daemon is the number of its domain, below zero.
 */
const isDomain = (domid: DomId): boolean => domid >= 0 && domid < DOMID_FIRST_RESERVED;
const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length + 1, 0);
