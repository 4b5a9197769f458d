// Features and quotas of domains: do_get_feature() and the like in tools/xenstored/domain.c, since Xen 4.21.
import type { Errno } from '../../events/errno.ts';
import { accept, refuse } from '../../events/step.ts';
import type { XenstoreCommand, XenstoreFact } from '../../events/xenstore.ts';
import type { Domains } from './domains.ts';
import { acceptWith, type Outcome, refuseWith } from './outcome.ts';
import { type QuotaName, quotaNames } from './profiles.ts';
import { type Connection, FEATURES, type XenStore } from './state.ts';

type Of<T extends string> = Extract<XenstoreCommand, { readonly type: `xenstore.${T}` }>;

/** GET_FEATURE. EACCES: a guest may ask for its own only; ENOENT: no such domain. */
export function getFeature(store: XenStore, connection: Connection, { domid }: Of<'get_feature'>, domains: Domains): Outcome {
  if (domid < 0) {
    // A socket has what the daemon has, whatever its domain's ring was given.
    const isRing = connection.conn === connection.domid;
    return accept({ features: isRing ? store.domains.get(connection.domid)!.features : FEATURES });
  }
  if (connection.domid !== 0) return refuse('EACCES');
  const found = follow(store, domid, domains);
  if ('errno' in found) return refuse(found.errno);
  return acceptWith(found.noticed, { features: store.domains.get(domid)?.features ?? FEATURES });
}

/** SET_FEATURE. ENOENT: no such domain; EBUSY: it is introduced already; EINVAL: there is no such feature. */
export function setFeature(store: XenStore, { domid, features }: Of<'set_feature'>, domains: Domains): Outcome {
  const found = follow(store, domid, domains);
  if ('errno' in found) return refuse(found.errno);
  const { noticed } = found;
  if (store.domains.get(domid)?.introduced) return refuseWith('EBUSY', noticed);
  if ((features & ~FEATURES) !== 0) return refuseWith('EINVAL', noticed);
  return acceptWith([...noticed, { type: 'xenstore.feature_set', domid, features }]);
}

/** GET_QUOTA. ENOENT: no such domain; EINVAL: no such quota. */
export function getQuota(store: XenStore, { domid, name }: Of<'get_quota'>, domains: Domains): Outcome {
  if (domid < 0 && name === '') return accept({ value: quotaNames.join(' ') });
  const found = follow(store, domid, domains);
  if ('errno' in found) return refuse(found.errno);
  if (!isQuota(name)) return refuseWith('EINVAL', found.noticed);
  const { quotas } = store.domains.get(domid) ?? store.settings;
  return acceptWith(found.noticed, { value: `${quotas[name]}` });
}

/** SET_QUOTA. ENOENT: no such domain; EINVAL: no such quota. */
export function setQuota(store: XenStore, { domid, name, value }: Of<'set_quota'>, domains: Domains): Outcome {
  const found = follow(store, domid, domains);
  if ('errno' in found) return refuse(found.errno);
  if (!isQuota(name) || value === DISABLED) return refuseWith('EINVAL', found.noticed);
  return acceptWith([...found.noticed, { type: 'xenstore.quota_set', domid: Math.max(domid, -1), name, value }]);
}

/** A quota that does not exist has this value (Q_VAL_DISABLED): none may be set to it. */
const DISABLED = 0xffff_ffff;

const isQuota = (name: string): name is QuotaName => (quotaNames as readonly string[]).includes(name);

/** A domain is known from the first time that somebody speaks of it (find_or_alloc_existing_domain); -1 stands for all. */
function follow(
  store: XenStore,
  domid: number,
  domains: Domains,
): { readonly noticed: readonly XenstoreFact[] } | { readonly errno: Errno } {
  if (domid < 0 || store.domains.has(domid)) return { noticed: [] };
  return domains.exists(domid) ? { noticed: [{ type: 'xenstore.domain_noticed', domid }] } : { errno: 'ENOENT' };
}
