// The dummy XSM policy (xen/include/xsm/dummy.h): who may ask about whom.
import type { Errno } from '../../events/errno.ts';
import { DOMID_FIRST_RESERVED, DOMID_SELF, DOMID_XEN, type DomId } from '../../events/units.ts';
import type { Xen } from './xen.ts';

/** dom0 is the control domain; Xen itself builds dom0. */
export const isPrivileged = (domid: DomId): boolean => domid === 0 || domid === DOMID_XEN;

/** The domain that a `dom` argument means: oneself, or another one if one is privileged and it exists. */
export function resolve(xen: Xen, caller: DomId, dom: DomId): { ok: true; dom: DomId } | { ok: false; errno: Errno } {
  const target = dom === DOMID_SELF ? caller : dom;
  if (target >= DOMID_FIRST_RESERVED || !xen.exists(target)) return { ok: false, errno: 'ESRCH' };
  return target === caller || isPrivileged(caller) ? { ok: true, dom: target } : { ok: false, errno: 'EPERM' };
}
