// physdev_op, hvm_op and console_io (xen/arch/x86/physdev.c, xen/arch/x86/hvm/hvm.c, xen/drivers/char/console.c).
import { byteString, bytesOf } from '../../events/bytes.ts';
import { errnoNumber } from '../../events/errno.ts';
import * as hvm from '../abi/hvm.ts';
import * as physdev from '../abi/physdev.ts';
import { HVMOP, PHYSDEVOP } from '../abi/sub-operations.ts';
import { type Call, done, goOn, type Result, uint } from './call.ts';
import { type Codecs, codec, Refusal } from './codec.ts';

const pci = codec('physdev.pci_device_remove', physdev.physdev_pci_device);
const physfn = { physfn_bus: 'physfn.bus', physfn_devfn: 'physfn.devfn' };
const apic_physbase = 'apic_physbase';

export const physdevOp: Codecs = {
  [PHYSDEVOP.irq_status_query]: codec('physdev.irq_status_query', physdev.physdev_irq_status_query, { out: ['flags'] }),
  [PHYSDEVOP.set_iopl]: codec('physdev.set_iopl', physdev.physdev_set_iopl),
  [PHYSDEVOP.set_iobitmap]: codec('physdev.set_iobitmap', physdev.physdev_set_iobitmap, {
    args: { mapped: ({ bitmap }, { guest }) => bitmap === 0n || guest.isBacked(bitmap as bigint, IOBMP_BYTES) },
  }),
  [PHYSDEVOP.apic_read]: codec('physdev.apic_read', physdev.physdev_apic, { args: { apic_physbase }, out: ['value'] }),
  [PHYSDEVOP.apic_write]: codec('physdev.apic_write', physdev.physdev_apic, { args: { apic_physbase } }),
  [PHYSDEVOP.alloc_irq_vector]: codec('physdev.alloc_irq_vector', physdev.physdev_irq, { out: ['vector'] }),
  [PHYSDEVOP.eoi]: codec('physdev.eoi', physdev.physdev_eoi),
  [PHYSDEVOP.map_pirq]: codec('physdev.map_pirq', physdev.physdev_map_pirq, {
    // Any will do: here that is the interrupt's own number.
    args: { dom: 'domid', pirq: ({ pirq, index }) => ((pirq as number) < 0 ? index : pirq) },
    out: ['pirq'],
  }),
  [PHYSDEVOP.unmap_pirq]: codec('physdev.unmap_pirq', physdev.physdev_unmap_pirq, { args: { dom: 'domid' } }),
  [PHYSDEVOP.manage_pci_add]: codec('physdev.manage_pci_add', physdev.physdev_manage_pci),
  [PHYSDEVOP.manage_pci_remove]: codec('physdev.manage_pci_remove', physdev.physdev_manage_pci),
  [PHYSDEVOP.manage_pci_add_ext]: codec('physdev.manage_pci_add_ext', physdev.physdev_manage_pci_ext, { args: physfn }),
  [PHYSDEVOP.pirq_eoi_gmfn_v1]: codec('physdev.pirq_eoi_gmfn_v1', physdev.physdev_pirq_eoi_gmfn),
  [PHYSDEVOP.pirq_eoi_gmfn_v2]: codec('physdev.pirq_eoi_gmfn_v2', physdev.physdev_pirq_eoi_gmfn),
  [PHYSDEVOP.restore_msi]: codec('physdev.restore_msi', physdev.physdev_restore_msi),
  [PHYSDEVOP.setup_gsi]: codec('physdev.setup_gsi', physdev.physdev_setup_gsi),
  [PHYSDEVOP.get_free_pirq]: codec('physdev.get_free_pirq', physdev.physdev_get_free_pirq, {
    args: { pirq_type: 'type' },
    out: ['pirq'],
  }),
  [PHYSDEVOP.pci_mmcfg_reserved]: codec('physdev.pci_mmcfg_reserved', physdev.physdev_pci_mmcfg_reserved),
  [PHYSDEVOP.pci_device_add]: codec('physdev.pci_device_add', physdev.physdev_pci_device_add, { args: physfn }),
  [PHYSDEVOP.pci_device_remove]: pci,
  [PHYSDEVOP.restore_msi_ext]: { ...pci, command: 'physdev.restore_msi_ext' },
  [PHYSDEVOP.prepare_msix]: { ...pci, command: 'physdev.prepare_msix' },
  [PHYSDEVOP.release_msix]: { ...pci, command: 'physdev.release_msix' },
  [PHYSDEVOP.dbgp_op]: codec('physdev.dbgp_op', physdev.physdev_dbgp_op),
};
/** A bit for each of 65,536 ports. */
const IOBMP_BYTES = 8192;

export const hvmOp: Codecs = {
  [HVMOP.set_param]: codec('hvm.set_param', hvm.xen_hvm_param, { args: { dom: 'domid' } }),
  [HVMOP.get_param]: codec('hvm.get_param', hvm.xen_hvm_param, { args: { dom: 'domid' }, out: ['value'] }),
  [HVMOP.pagetable_dying]: codec('hvm.pagetable_dying', hvm.xen_hvm_pagetable_dying, { args: { dom: 'domid' } }),
  [HVMOP.get_time]: codec('hvm.get_time', undefined, {
    write: ({ now }, _, call) => call.guest.write(hvm.xen_hvm_get_time, call.arg(1), { now: BigInt(now as number) }),
  }),
  [HVMOP.xentrace]: codec('hvm.xentrace', hvm.xen_hvm_xentrace, {
    args: {
      extra: ({ extra, extra_bytes }) =>
        (extra_bytes as number) > 28
          ? new Refusal('EINVAL')
          : Uint8Array.from(extra as number[]).subarray(0, extra_bytes as number),
    },
  }),
  [HVMOP.altp2m]: codec('hvm.altp2m'),
  [HVMOP.get_mem_type]: codec('hvm.get_mem_type', hvm.xen_hvm_get_mem_type, { args: { dom: 'domid' }, out: ['mem_type'] }),
  [HVMOP.set_evtchn_upcall_vector]: codec('hvm.set_evtchn_upcall_vector', hvm.xen_hvm_evtchn_upcall_vector),
};
/** Those that take no structure, and refuse to be given one: see `takesNothing`. */
export const bareHvmOp: Codecs = {
  [HVMOP.flush_tlbs]: codec('hvm.flush_tlbs'),
  [HVMOP.guest_request_vm_event]: codec('hvm.guest_request_vm_event'),
};
export const takesNothing = (call: Call): boolean => call.arg(1) === 0n;

const CONSOLEIO = { write: 0, read: 1 } as const;
/** How much of a text one step takes, before others get their turn. */
const CHUNK = 1024;

export function performConsoleIo(call: Call): Result {
  const { domid } = call.caller;
  const cmd = uint(call.arg(0));
  const count = uint(call.arg(1));
  const at = call.arg(2);
  switch (cmd) {
    case CONSOLEIO.read: {
      const outcome = call.step({ type: 'console_io.read', domid, count });
      if (!outcome.ok) return done(errnoNumber(outcome.errno));
      const { text } = outcome.value as { text: string };
      return done(call.guest.put(at, bytesOf(text)) ? text.length : errnoNumber('EFAULT'));
    }
    case CONSOLEIO.write: {
      const steps = count > CHUNK ? call.asList() : call;
      for (let written = 0; written < count; written += CHUNK) {
        const from = at + BigInt(written);
        if (written > 0 && call.port.preempt()) return goOn(call.number, [BigInt(cmd), BigInt(count - written), from]);
        const piece = call.guest.bytes(from, Math.min(CHUNK, count - written));
        if (piece === undefined) return steps.refuse('EFAULT', cmd);
        const outcome = steps.step({ type: 'console_io.write', domid, text: byteString(piece) });
        if (!outcome.ok) return done(errnoNumber(outcome.errno));
      }
      return done(0);
    }
    default:
      return call.refuse('ENOSYS', cmd);
  }
}
