// The state that a vCPU is to begin with, looked at as far as Xen refuses it (xen/arch/x86/domain.c, arch_set_info_guest()).
import type { Errno } from '../../events/errno.ts';
import type { DomId } from '../../events/units.ts';
import { VCPU_HVM_MODE, VGCF, vcpu_guest_context, vcpu_hvm_context } from '../abi/vcpu-context.ts';
import type { Xen } from '../core/xen.ts';
import type { GuestMemory, Plain } from './guest-memory.ts';

/** Why this is no state to begin with, or undefined where it is. `domid` is the domain that the vCPU belongs to. */
export function contextFlaw(xen: Xen, domid: DomId, guest: GuestMemory, pointer: bigint, isOwn: boolean): Errno | undefined {
  if (isOwn && xen.domain.of(0)!.hvm.at(domid) === 1) return hvmFlaw(guest, pointer);
  const is32bit = xen.is32bit(domid);
  const layout = vcpu_guest_context[is32bit ? 'x86_32' : 'x86_64'];
  const bytes = guest.bytes(pointer, layout.size);
  if (bytes === undefined) return 'EFAULT';
  if (xen.domain.of(0)!.hvm.at(domid) === 1) return undefined;
  const context = layout.read(bytes) as Plain;
  if (!is32bit && !addressesAreCanonical(context)) return 'EINVAL';
  const { ldt_base, ldt_ents, gdt_ents, ctrlreg, flags } = context as Readonly<Record<string, bigint>> & {
    readonly ctrlreg: readonly bigint[];
  };
  if ((ldt_base! & 0xfffn) !== 0n || ldt_ents! > 8192n || gdt_ents! > MAX_GDT_ENTRIES) return 'EINVAL';
  // A user's page tables are needed where the vCPU does not begin in its kernel.
  const inKernel = (flags! & BigInt(VGCF.in_kernel)) !== 0n;
  return !is32bit && !inKernel && ctrlreg[1] === 0n ? 'EINVAL' : undefined;
}
/** Sixteen frames of 512, without the part that is Xen's own. */
const MAX_GDT_ENTRIES = 14n * 512n;

const isCanonical = (address: bigint): boolean => BigInt.asIntN(48, address) === BigInt.asIntN(64, address);
/** Below the hole, or above what is Xen's own. */
const isGuests = (address: bigint): boolean => address < 1n << 47n || address >= 0xffff_8800_0000_0000n;

function addressesAreCanonical(context: Plain): boolean {
  const regs = context['user_regs'] as { rip: bigint; rsp: bigint };
  const traps = context['trap_ctxt'] as readonly { address: bigint }[];
  const single = [
    'kernel_sp',
    'fs_base',
    'gs_base_kernel',
    'gs_base_user',
    'event_callback_eip',
    'syscall_callback_eip',
    'failsafe_callback_eip',
    ...(context['ldt_ents'] === 0n ? [] : ['ldt_base']),
  ].map((name) => context[name] as bigint);
  return (
    [regs.rip, regs.rsp, ...single, ...traps.map(({ address }) => address)].every(isCanonical) &&
    isGuests(context['ldt_base'] as bigint)
  );
}

/** arch_set_info_hvm_guest(): the mode, and that nothing stands where nothing may. */
function hvmFlaw(guest: GuestMemory, pointer: bigint): Errno | undefined {
  const context = guest.read(vcpu_hvm_context, pointer);
  if (context === undefined) return 'EFAULT';
  const isMode = Object.values(VCPU_HVM_MODE).some((mode) => mode === context['mode']);
  return context['pad'] === 0 && isMode ? undefined : 'EINVAL';
}
