// The dummy XSM policy (xen/include/xsm/dummy.h): who may ask about whom.
import type { Errno } from '../../events/errno.ts';
import { DOMID_FIRST_RESERVED, DOMID_SELF, DOMID_XEN, type DomId } from '../../events/units.ts';
import { XEN_DOMCTL_CDF } from '../abi/domctl.ts';
import type { Xen } from './xen.ts';

/** dom0 is the control domain; Xen itself builds dom0. */
export const isPrivileged = (domid: DomId): boolean => domid === 0 || domid === DOMID_XEN;

/** XSM_*: who may do something to a domain besides a control domain. */
export type Action = 'target' | 'dm_priv' | 'xs_priv' | 'priv';

/**
 * xsm_default_action(): oneself ("target"), the domain's device model ("target", "dm_priv", "xs_priv"), a XenStore domain
 * ("xs_priv") or, for all of them, a control domain.
 */
export function permits(xen: Xen, action: Action, caller: DomId, target: DomId | undefined): boolean {
  if (isPrivileged(caller)) return true;
  if (action === 'target' && caller === target) return true;
  if (action === 'xs_priv' && (xen.control.row.cdf.at(caller) & XEN_DOMCTL_CDF.xs_domain) !== 0) return true;
  return action !== 'priv' && target !== undefined && xen.control.row.target_plus_1.at(caller) === target + 1;
}

/** The domain that a `dom` argument means: oneself, or another one that exists if one is privileged or its device model. */
export function resolve(xen: Xen, caller: DomId, dom: DomId): { ok: true; dom: DomId } | { ok: false; errno: Errno } {
  const target = dom === DOMID_SELF ? caller : dom;
  if (target >= DOMID_FIRST_RESERVED || !xen.exists(target)) return { ok: false, errno: 'ESRCH' };
  return permits(xen, 'target', caller, target) ? { ok: true, dom: target } : { ok: false, errno: 'EPERM' };
}
