// Xen's trace buffers (public/sysctl.h, XEN_SYSCTL_tbuf_op; public/trace.h): what `xentrace` maps and reads.
import { bool, bytes, int, ints, operation } from './schema.ts';

export const operations = {
  /** `cmd` is XEN_SYSCTL_TBUFOP_*; `size` counts pages for each pCPU when it is set, and bytes of t_info in the answer. */
  'sysctl.tbuf_op': operation(
    { domid: int, cmd: int, cpus: ints, evt_mask: int, size: int },
    { evt_mask: int, buffer_mfn: int, size: int },
  ),
} as const;

export const facts = {
  /** The frames of t_info, and those of the pCPUs' buffers one pCPU after the other: first frame and count of each extent. */
  'trace.buffers_allocated': { pages: int, cpus: int, info: ints, buffers: ints },
  'trace.mask_set': { evt_mask: int },
  /** pCPUs whose events are traced. */
  'trace.cpus_set': { cpus: ints },
  'trace.enabled': { enabled: bool },
  /** A hypercall while tracing is on, by its number. */
  'trace.hypercall_made': { domid: int, vcpu: int, op: int, at_ns: int },
  /** A pCPU's buffer is half full, and dom0 is told; or (false) it has been emptied below that. */
  'trace.highwater_passed': { cpu: int, above: bool },
  /** Memory that a domain is about to give back, page by page, while tracing is on. */
  'trace.reservation_decreased': { domid: int, gmfn: int, extent_order: int },
  /** What a guest says of itself while tracing is on (HVMOP_xentrace). */
  'trace.guest_recorded': { domid: int, event: int, extra: bytes },
} as const;
