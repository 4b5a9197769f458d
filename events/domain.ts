// Domains: the domctls (public/domctl.h) that make, stop and end them, and what happens to a domain.
// `domid` is whoever asks, `domain` the domain concerned: the field's name in struct xen_domctl.
import { bool, int, ints, oneOf, operation, text } from './schema.ts';

/** public/sched.h, SHUTDOWN_*. The order is Xen's: the index is the code. */
export const shutdownReason = oneOf('poweroff', 'reboot', 'suspend', 'crash', 'watchdog', 'soft_reset');

export const operations = {
  /** `domain` 0 lets Xen choose the id. */
  'domctl.createdomain': operation(
    {
      domid: int,
      domain: int,
      ssidref: int,
      handle: text,
      max_vcpus: int,
      max_evtchn_port: int,
      max_grant_frames: int,
      max_maptrack_frames: int,
      hvm: bool,
      /** XEN_DOMCTL_CDF_* but for `hvm`. */
      flags: int,
      iommu_opts: int,
      /** The highest version of grant tables that it may use. */
      grant_opts: int,
      vmtrace_size: int,
      cpupool_id: int,
      /** XEN_X86_EMU_* and XEN_X86_* of struct xen_arch_domainconfig. */
      emulation_flags: int,
      misc_flags: int,
    },
    { domain: int },
  ),
  'domctl.max_vcpus': operation({ domid: int, domain: int, max: int }),
  'domctl.max_mem': operation({ domid: int, domain: int, max_memkb: int }),
  'domctl.pausedomain': operation({ domid: int, domain: int }),
  'domctl.unpausedomain': operation({ domid: int, domain: int }),
  /** Answers ERESTART until everything is given back; whoever asks repeats it, as libxc does. */
  'domctl.destroydomain': operation({ domid: int, domain: int }),
  /** Answers for `domain` or the next existing id above it, as Xen does. */
  'domctl.getdomaininfo': operation(
    { domid: int, domain: int },
    {
      domain: int,
      flags: int,
      tot_pages: int,
      max_pages: int,
      outstanding_pages: int,
      shared_info_frame: int,
      cpu_time_ns: int,
      nr_online_vcpus: int,
      max_vcpu_id: int,
      ssidref: int,
      handle: text,
      emulation_flags: int,
      misc_flags: int,
      /** The id of its pool. */
      cpupool: int,
    },
  ),
  'sysctl.physinfo': operation(
    { domid: int },
    {
      ...{ nr_cpus: int, total_pages: int, free_pages: int, scrub_pages: int, outstanding_pages: int, max_cpu_id: int },
      ...{ threads_per_core: int, cores_per_socket: int, nr_nodes: int, max_node_id: int, cpu_khz: int, max_mfn: int },
      /** XEN_SYSCTL_PHYSCAP_*; `hw_cap` are the first eight words of the processor's featureset. */
      capabilities: int,
      arch_capabilities: int,
      hw_cap: ints,
    },
  ),
  'sched.shutdown': operation({ domid: int, reason: shutdownReason }),
  'domctl.resumedomain': operation({ domid: int, domain: int }),
  /** Answers the ids of at most `max_domains` domains from `first_domain` on, ascending. */
  'sysctl.getdomaininfolist': operation({ domid: int, first_domain: int, max_domains: int }, { domains: ints }),
  'sysctl.sched_id': operation({ domid: int }, { sched_id: int }),
  /** `code` is any byte: SHUTDOWN_* or what has no name. */
  'sched.remote_shutdown': operation({ domid: int, domain: int, code: int }),
  /** 32 makes a 32-bit guest of a PV domain that has no memory yet. */
  'domctl.set_address_size': operation({ domid: int, domain: int, size: int }),
  'domctl.get_address_size': operation({ domid: int, domain: int }, { size: int }),
  /** What the shutdown that follows is to be called: the first to say so is believed. */
  'sched.shutdown_code': operation({ domid: int, code: int }),
} as const;

export const facts = {
  'domain.created': {
    domid: int,
    ssidref: int,
    handle: text,
    max_vcpus: int,
    max_evtchn_port: int,
    max_grant_frames: int,
    max_maptrack_frames: int,
    hvm: bool,
    shared_info_mfn: int,
    /** The place of its pool. */
    pool: int,
  },
  'domain.vcpus_allocated': { domid: int, count: int, at_ns: int },
  'domain.max_mem_set': { domid: int, max_pages: int },
  'domain.paused': { domid: int, at_ns: int },
  'domain.unpaused': { domid: int, at_ns: int },
  'domain.shut_down': { domid: int, reason: shutdownReason, at_ns: int },
  /** The guest is broken, as Xen's domain_crash(). `domain.shut_down` with the reason "crash" follows in the same step. */
  'domain.crashed': { domid: int, why: text },
  'domain.dying_started': { domid: int, at_ns: int },
  /** It has given back all but the frames that others have mapped: a zombie, until they let go. */
  'domain.relinquished': { domid: int },
  /** Nothing of it is left; its id may be used again. */
  'domain.destroyed': { domid: int },
  /** As `domain.shut_down`, for any code. */
  'domain.shut_down_with': { domid: int, code: int, at_ns: int },
  'domain.resumed': { domid: int, at_ns: int },
  'domain.address_size_set': { domid: int, size: int },
  /** What its next shutdown will be called, whatever it says then. */
  'domain.shutdown_code_set': { domid: int, code: int },
  /** Xen's search for a free id goes on behind this one: the last that it chose itself. */
  'domain.rover_put_back': { domid: int },
} as const;
