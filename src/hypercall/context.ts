// The state that a vCPU is to begin with, as bytes of whoever gives it.
import type { DomId } from '../../events/units.ts';
import { VCPU_HVM_MODE, vcpu_hvm_context } from '../abi/vcpu-context.ts';
import { contextLayout } from '../core/mm/load-context.ts';
import type { Call } from './call.ts';
import { EFAULT, Refusal } from './codec.ts';

/** struct vcpu_guest_context, as wide as the domain whose vCPU it is. */
export const contextAt = ({ guest, xen }: Call, domid: DomId, pointer: bigint): Uint8Array | Refusal =>
  guest.bytes(pointer, contextLayout(xen, domid).size) ?? EFAULT;

/** arch_set_info_hvm_guest(): the mode, and that nothing stands where nothing may. Undefined where it is right. */
export function hvmFlaw({ guest }: Call, pointer: bigint): Refusal | undefined {
  const context = guest.read(vcpu_hvm_context, pointer);
  if (context === undefined) return EFAULT;
  const isMode = Object.values(VCPU_HVM_MODE).some((mode) => mode === context['mode']);
  return context['pad'] === 0 && isMode ? undefined : new Refusal('EINVAL');
}
