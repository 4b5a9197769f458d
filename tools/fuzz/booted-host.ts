// A host on which something can be tried: dom0 and two domains that it built, all running.
import { DOMID_XEN } from '../../events/units.ts';
import { build } from './arbitraries/domain.ts';
import { CoreHost, type CoreHostOptions } from './core-host.ts';

/**
 * d0 has 2 vCPUs and 8 pages; d1 is PV with 1 vCPU and 6 pages, d2 HVM with 3 vCPUs and 6 pages. Each has vCPU 0 up, and no event channel.
 * d1 and d2 may use grant tables of version 2, and have such of version 1.
 */
export function bootedHost(options?: CoreHostOptions): CoreHost {
  const host = new CoreHost(options);
  for (const command of [
    ...build(0, { vcpus: 2, pages: 8, hvm: false, caller: DOMID_XEN }),
    ...build(1, { vcpus: 1, pages: 6, hvm: false, grants: 2 }),
    ...build(2, { vcpus: 3, pages: 6, hvm: true, grants: 2 }),
  ])
    host.submit(command);
  return host;
}
