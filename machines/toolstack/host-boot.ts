import { type Booting, booting, bootPlan } from '../../src/toolstack/libxl/boot.ts';
import { planMachine } from './plan-machine.ts';

/** The boot of the host: Xen makes dom0 as its configuration says, and dom0's first programs fill XenStore. */
export const hostBoot = planMachine<object>('hostBoot', { boot: bootPlan }, () => ({
  plan: 'boot',
  p: booting({ job: 0, self: 'boot', conn: 0, tx: 0 }) satisfies Booting,
}));
