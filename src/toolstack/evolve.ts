import type { ToolstackFact } from '../../events/vocabulary.ts';
import type { Toolstack } from './state.ts';

/** Applies a fact to the toolstack's records. Total; the only writer of this slice. */
export function evolve(toolstack: Toolstack, event: ToolstackFact): void {
  switch (event.type) {
    case 'host.booted':
      toolstack.host.update(0, (host) => {
        host.booted = true;
      });
      return;
    case 'host.ended':
      toolstack.host.update(0, (host) => {
        host.ended = true;
      });
      return;
    case 'host.bytes_drawn':
      toolstack.host.update(0, (host) => {
        host.prng = [...event.state];
      });
      return;
    case 'xl.job_started':
      toolstack.host.update(0, (host) => {
        host.next_job = event.job + 1;
      });
      toolstack.jobs.set(event.job, { argv: event.argv, rc: -1 });
      return;
    case 'xl.exited':
      toolstack.jobs.update(event.job, (job) => {
        job.rc = event.rc;
      });
      return;
    case 'xl.config_stored':
      toolstack.configs.set(event.domid, { json: event.config });
      return;
    case 'xl.printed':
    case 'bootloader.started':
    case 'bootloader.finished':
    case 'hotplug.started':
    case 'hotplug.finished':
      return; // for actors and for people
    default:
      event satisfies never;
  }
}
