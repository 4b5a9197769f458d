// `xl` commands that only look, answered by the toolstack itself in a continuation of a run that nobody keeps.
import { eventsOf } from '../../events/step.ts';
import { SECOND } from '../../events/units.ts';
import { Dispatcher, type DispatcherOptions } from '../../machines/index.ts';

export interface XlAnswer {
  /** Byte strings. */
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status; undefined where xl has not ended within a minute of virtual time. */
  readonly rc: number | undefined;
}

/** The subcommands that change nothing. */
export const lookingOnly: readonly string[] = ['list', 'domid', 'domname', 'vcpu-list', 'info', 'uptime'];

const PATIENCE = 60 * SECOND;

/** Runs `xl` on a host, which goes on from where it is: give it one that is not needed any more. */
export function askXl(dispatcher: Dispatcher, argv: readonly string[]): XlAnswer {
  const said = { stdout: '', stderr: '' };
  let job: number | undefined;
  let rc: number | undefined;
  const subscription = dispatcher.steps$.subscribe(({ outcome }) => {
    for (const event of eventsOf(outcome)) {
      if (event.type === 'xl.job_started') job ??= event.job;
      else if (event.type === 'xl.printed' && event.job === job) said[event.stream] += event.text;
      else if (event.type === 'xl.exited' && event.job === job) rc = event.rc;
    }
  });
  dispatcher.input({ type: 'xl.run', argv, files: [] }, 'operator');
  const limit = dispatcher.now + PATIENCE;
  while (rc === undefined && dispatcher.advance(limit));
  subscription.unsubscribe();
  return { ...said, rc };
}

/** A second host that goes on from where a quiet one is. */
export function continuation(dispatcher: Dispatcher, options: Pick<DispatcherOptions, 'config' | 'seed' | 'images'>): Dispatcher {
  const other = new Dispatcher(options);
  other.restore(dispatcher.checkpoint());
  return other;
}
