// domctl (xen/common/domctl.c): a structure that says what is asked, in which version of the interface, and of whom; what follows in it is
// the sub-operation's own.
import { errnoNumber } from '../../events/errno.ts';
import * as domctl from '../abi/domctl.ts';
import { XEN_DOMCTL, XEN_DOMCTL_CDF } from '../abi/domctl.ts';
import { xen_ulong_t } from '../abi/scalars.ts';
import { isPrivileged } from '../core/xsm.ts';
import { type Bitmap, bitsOf, putBits } from './bitmap.ts';
import { type Call, done, type Result } from './call.ts';
import { type Codec, type Codecs, codec, commandOf, EFAULT, finish, perform, Refusal, type Source, toNumber } from './codec.ts';
import { contextAt } from './context.ts';
import { stateDomctls } from './domctl-state.ts';
import type { Plain } from './guest-memory.ts';
import { handleBytes, handleText } from './version.ts';

const signed = (name: string) => (given: Plain) => BigInt.asIntN(32, BigInt(given[name] as number));
const uuid = ({ handle }: Plain): string => handleText(handle as Uint8Array);
/** getpageframeinfo3 takes no more. */
const MAX_PAGES_AT_ONCE = 1024n;
const big = (answer: Plain, ...names: string[]): Plain =>
  Object.fromEntries(names.map((name) => [name, BigInt((answer[name] as number | undefined) ?? 0)]));

/** `XEN_VCPUAFFINITY_*`: which of the masks is meant. */
const HARD = 1;
const SOFT = 2;
function wanted(name: 'cpumap_hard' | 'cpumap_soft', flag: number): Source {
  return ({ flags, [name]: map }, { guest }) =>
    ((flags as number) & flag) === 0 ? [] : (bitsOf(map as Bitmap, guest) ?? EFAULT);
}
/** Those that were asked for. */
function putAffinity({ cpumap_hard, cpumap_soft }: Plain, given: Plain, { guest }: Call): boolean {
  const put = (name: string, flag: number, bits: unknown): boolean =>
    ((given['flags'] as number) & flag) === 0 || putBits(bits as readonly number[], given[name] as Bitmap, guest);
  return put('cpumap_hard', HARD, cpumap_hard) && put('cpumap_soft', SOFT, cpumap_soft);
}

/** `domain` stands in the structure before the sub-operation's own. */
export const domctlOp: Codecs = {
  [XEN_DOMCTL.createdomain]: codec('domctl.createdomain', domctl.xen_domctl_createdomain, {
    args: {
      handle: uuid,
      flags: ({ flags }) => (flags as number) & ~XEN_DOMCTL_CDF.hvm,
      emulation_flags: 'arch.emulation_flags',
      misc_flags: 'arch.misc_flags',
      hvm: ({ flags }) => ((flags as number) & XEN_DOMCTL_CDF.hvm) !== 0,
      // Those above the largest number with a sign mean as much as that.
      max_evtchn_port: signed('max_evtchn_port'),
    },
  }),
  [XEN_DOMCTL.destroydomain]: codec('domctl.destroydomain'),
  [XEN_DOMCTL.pausedomain]: codec('domctl.pausedomain'),
  [XEN_DOMCTL.unpausedomain]: codec('domctl.unpausedomain'),
  [XEN_DOMCTL.resumedomain]: codec('domctl.resumedomain'),
  [XEN_DOMCTL.getdomaininfo]: codec('domctl.getdomaininfo', domctl.xen_domctl_getdomaininfo, { out: domainInfo }),
  [XEN_DOMCTL.max_mem]: codec('domctl.max_mem', domctl.xen_domctl_max_mem),
  [XEN_DOMCTL.max_vcpus]: codec('domctl.max_vcpus', domctl.xen_domctl_max_vcpus),
  [XEN_DOMCTL.setvcpucontext]: codec('domctl.setvcpucontext_from', domctl.xen_domctl_vcpucontext, {
    args: {
      context({ vcpu, ctxt, domain }, call) {
        const target = domain as number;
        const { xen, caller } = call;
        const mayAsk =
          xen.exists(target) && isPrivileged(caller.domid) && target !== caller.domid && xen.hasVcpu(target, vcpu as number);
        return mayAsk ? contextAt(call, target, ctxt as bigint) : new Uint8Array(0);
      },
    },
  }),
  [XEN_DOMCTL.getvcpuinfo]: codec('domctl.getvcpuinfo', domctl.xen_domctl_getvcpuinfo, {
    out: ['online', 'blocked', 'running', 'cpu_time', 'cpu'],
  }),
  [XEN_DOMCTL.getpageframeinfo3]: codec('domctl.getpageframeinfo3', domctl.xen_domctl_getpageframeinfo3, {
    args: {
      gfns({ num, array }, { guest }) {
        if ((num as bigint) > MAX_PAGES_AT_ONCE) return new Refusal('E2BIG');
        const list = guest.list(xen_ulong_t, array as bigint, Number(num as bigint));
        return list.length < Number(num as bigint) ? EFAULT : list.map((gfn) => toNumber(gfn));
      },
    },
    write({ types }, { array }, { guest }) {
      const list = (types as readonly number[]).map((type) => BigInt(type));
      return guest.putList(xen_ulong_t, array as bigint, list) === list.length;
    },
  }),
  [XEN_DOMCTL.setdomainhandle]: codec('domctl.setdomainhandle', domctl.xen_domctl_setdomainhandle, { args: { handle: uuid } }),
  [XEN_DOMCTL.setdebugging]: codec('domctl.setdebugging', domctl.xen_domctl_setdebugging),
  [XEN_DOMCTL.irq_permission]: codec('domctl.irq_permission', domctl.xen_domctl_irq_permission),
  [XEN_DOMCTL.iomem_permission]: codec('domctl.iomem_permission', domctl.xen_domctl_iomem_permission),
  [XEN_DOMCTL.ioport_permission]: codec('domctl.ioport_permission', domctl.xen_domctl_ioport_permission),
  [XEN_DOMCTL.hypercall_init]: codec('domctl.hypercall_init', domctl.xen_domctl_hypercall_init),
  [XEN_DOMCTL.sendtrigger]: codec('domctl.sendtrigger', domctl.xen_domctl_sendtrigger),
  [XEN_DOMCTL.subscribe]: codec('domctl.subscribe', domctl.xen_domctl_subscribe),
  [XEN_DOMCTL.set_target]: codec('domctl.set_target', domctl.xen_domctl_set_target),
  [XEN_DOMCTL.set_access_required]: codec('domctl.set_access_required', domctl.xen_domctl_set_access_required),
  [XEN_DOMCTL.set_virq_handler]: codec('domctl.set_virq_handler', domctl.xen_domctl_set_virq_handler),
  [XEN_DOMCTL.memory_mapping]: codec('domctl.memory_mapping', domctl.xen_domctl_memory_mapping),
  [XEN_DOMCTL.ioport_mapping]: codec('domctl.ioport_mapping', domctl.xen_domctl_ioport_mapping),
  [XEN_DOMCTL.set_broken_page_p2m]: codec('domctl.set_broken_page_p2m', domctl.xen_domctl_set_broken_page_p2m),
  [XEN_DOMCTL.soft_reset]: codec('domctl.soft_reset'),
  [XEN_DOMCTL.get_paging_mempool_size]: codec('domctl.get_paging_mempool_size', domctl.xen_domctl_paging_mempool, {
    out: ['size'],
  }),
  [XEN_DOMCTL.set_paging_mempool_size]: codec('domctl.set_paging_mempool_size', domctl.xen_domctl_paging_mempool),
  [XEN_DOMCTL.gdbsx_pausevcpu]: codec('domctl.gdbsx_pausevcpu', domctl.xen_domctl_gdbsx_pauseunp_vcpu),
  [XEN_DOMCTL.gdbsx_unpausevcpu]: codec('domctl.gdbsx_unpausevcpu', domctl.xen_domctl_gdbsx_pauseunp_vcpu),
  [XEN_DOMCTL.gdbsx_domstatus]: codec('domctl.gdbsx_domstatus', domctl.xen_domctl_gdbsx_domstatus, {
    out: ['paused', 'vcpu_id', 'vcpu_ev'],
  }),
  [XEN_DOMCTL.setvcpuaffinity]: codec('domctl.setvcpuaffinity', domctl.xen_domctl_vcpuaffinity, {
    args: { cpumap_hard: wanted('cpumap_hard', HARD), cpumap_soft: wanted('cpumap_soft', SOFT) },
    write: putAffinity,
  }),
  [XEN_DOMCTL.getvcpuaffinity]: codec('domctl.getvcpuaffinity', domctl.xen_domctl_vcpuaffinity, { write: putAffinity }),
  [XEN_DOMCTL.setnodeaffinity]: codec('domctl.setnodeaffinity', domctl.xen_domctl_nodeaffinity, {
    args: { nodemap: ({ nodemap }, { guest }) => bitsOf(nodemap as Bitmap, guest) ?? EFAULT },
  }),
  [XEN_DOMCTL.getnodeaffinity]: codec('domctl.getnodeaffinity', domctl.xen_domctl_nodeaffinity, {
    write: ({ nodemap }, given, { guest }) => putBits(nodemap as readonly number[], given['nodemap'] as Bitmap, guest),
  }),
  [XEN_DOMCTL.settimeoffset]: codec('domctl.settimeoffset', domctl.xen_domctl_settimeoffset),
  [XEN_DOMCTL.gettscinfo]: codec('domctl.gettscinfo', domctl.xen_domctl_tsc_info, {
    out: ['tsc_mode', 'elapsed_nsec', 'gtsc_khz', 'incarnation'],
  }),
  [XEN_DOMCTL.settscinfo]: codec('domctl.settscinfo', domctl.xen_domctl_tsc_info),
  [XEN_DOMCTL.set_address_size]: codec('domctl.set_address_size', domctl.xen_domctl_address_size),
  [XEN_DOMCTL.get_address_size]: codec('domctl.get_address_size', domctl.xen_domctl_address_size, { out: ['size'] }),
  ...stateDomctls,
};

/** What getdomaininfo answers, as the structure has it. */
export function domainInfo(answer: Plain): Plain {
  const { domain, flags, nr_online_vcpus, max_vcpu_id, ssidref, handle, cpu_time_ns, emulation_flags, misc_flags } = answer;
  return {
    arch_config: { emulation_flags, misc_flags },
    domain,
    flags,
    nr_online_vcpus,
    max_vcpu_id,
    ssidref,
    handle: handleBytes(handle as string),
    cpu_time: BigInt(cpu_time_ns as number),
    ...big(answer, 'tot_pages', 'max_pages', 'outstanding_pages', 'shared_info_frame'),
  };
}

/** Of which domains the sub-operation answers an id in the structure's head. */
const answersDomain: readonly number[] = [XEN_DOMCTL.createdomain, XEN_DOMCTL.getdomaininfo];

export function performDomctl(call: Call): Result {
  const at = call.arg(0);
  const head = call.guest.read(domctl.xen_domctl, at);
  if (head === undefined) return call.refuse('EFAULT');
  const cmd = head['cmd'] as number;
  if (head['interface_version'] !== domctl.XEN_DOMCTL_INTERFACE_VERSION) return call.refuse('EACCES', cmd);
  const domain = head['domain'] as number;
  const known = domctlOp[cmd];
  // Whom it is about is looked at before what it is.
  if (known === undefined)
    return call.refuse(!call.xen.exists(domain) ? 'ESRCH' : isPrivileged(call.caller.domid) ? 'ENOSYS' : 'EPERM', cmd);
  const codec: Codec = { ...known, args: { domain: { is: domain }, ...known.args }, head: { domain } };
  return answersDomain.includes(cmd) ? about(call, codec, cmd) : perform(call, codec, at + BigInt(domctl.XEN_DOMCTL_U), cmd);
}

/** As `perform`, and the domain's id goes into the head. */
function about(call: Call, codec: Codec, cmd: number): Result {
  const at = call.arg(0);
  const payload = at + BigInt(domctl.XEN_DOMCTL_U);
  const given = call.guest.read(codec.struct!, payload);
  if (given === undefined) return call.refuse('EFAULT', cmd);
  const command = commandOf(call, codec, given);
  if (command instanceof Refusal) return call.refuse(command.errno, cmd);
  const outcome = call.step(command);
  if (!outcome.ok) return done(errnoNumber(outcome.errno));
  const { domain } = outcome.value as { domain: number };
  call.guest.write(domctl.xen_domctl, at, { domain });
  return done(finish(call, codec, given, outcome, payload));
}
