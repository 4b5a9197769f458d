import { daemonPlan, watching } from '../../src/toolstack/libxl/daemon.ts';
import { planMachine } from './plan-machine.ts';

/**
 * What `xl create` leaves behind for each domain (a party, `xl.daemon.DOMID`): destroys the domain, or makes it again, when it has
 * shut down. Scripts that it runs answer to the job -DOMID.
 */
export const xlDaemon = planMachine<{ readonly domid: number; readonly config: string }>(
  'xlDaemon',
  { daemon: daemonPlan },
  (input) => {
    const p = watching({ job: -input.domid, self: `xl.daemon.${input.domid}`, conn: 0, tx: 0 }, input);
    return p && { plan: 'daemon', p };
  },
);
