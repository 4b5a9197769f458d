// What an actor guest's kernel does inside its own domain and a machine must know: pages it grants, interrupts it handles,
// processes it starts, work it hands to its executor. None of these are hypercalls; their effects on memory are the guest's own stores.
import { bool, int, oneOf, operation, text, texts } from './schema.ts';

/** Who in a domain handles an event channel. */
export const irqHandler = oneOf('none', 'timer', 'store', 'console', 'vbd', 'vif', 'domain');
export const workKind = oneOf(
  'compute',
  'sleep',
  'mount',
  'readdir',
  'read_file',
  'read_disk',
  'write_disk',
  'dhcp',
  'ping',
  'clock',
);

export const operations = {
  /** The domain builder has put a kernel into a new domain: start info, console and xenstore pages, first vCPU. */
  'xc.dom_boot_image': operation(
    { domid: int, kernel: text, cmdline: text, store_port: int, console_port: int },
    { store_mfn: int, console_mfn: int },
  ),
  /** The first instruction of the kernel: its vCPU runs for the first time. */
  'guest.start': operation({ domid: int }),
  'guest.bind_irq': operation({ domid: int, port: int, handler: irqHandler, dev: int, peer: int }),
  'guest.unbind_irq': operation({ domid: int, port: int }),
  /** The kernel's upcall handler has found `port` pending and calls its handler. */
  'guest.handle_irq': operation({ domid: int, port: int }),
  /** Takes a free page of the guest and grants it to `remote_dom`. */
  'guest.grant_page': operation({ domid: int, remote_dom: int, readonly: bool }, { ref: int, gfn: int }),
  /** Ends the grant and frees the page; EBUSY while it is still mapped, as gnttab_end_foreign_access() finds. */
  'guest.end_access': operation({ domid: int, ref: int }),
  /** A process or driver of the guest comes to life: an actor with the id `dDOMID.NAME`. */
  'guest.spawn': operation({ domid: int, name: text, program: text, args: texts }),
  'guest.exit': operation({ domid: int, name: text }),
  /** A driver tells its kernel that a device has come or gone; `info` is what the kernel prints about it. */
  'guest.note_device': operation({
    domid: int,
    device: oneOf('vbd', 'vif'),
    dev: int,
    state: oneOf('connected', 'closed'),
    info: text,
  }),
  /** The kernel goes down: its block devices are to be closed (device_shutdown() in Linux). */
  'guest.stop_devices': operation({ domid: int }),
  /** Something that takes time or input and output; `guest.work_finished` tells its issuer the result. */
  'guest.start_work': operation({ domid: int, issuer: text, kind: workKind, args: texts }, { work: int }),
  'guest.finish_work': operation({ domid: int, work: int, errno: text, result: text }),
  'hvc.write': operation({ domid: int, text }),
  /** The hvc driver has read bytes from the console ring. */
  'hvc.note_input': operation({ domid: int, text }),
} as const;

export const facts = {
  'guest.image_built': {
    domid: int,
    kernel: text,
    cmdline: text,
    start_info_gfn: int,
    store_gfn: int,
    console_gfn: int,
    store_port: int,
    console_port: int,
  },
  'guest.started': {
    domid: int,
    kernel: text,
    cmdline: text,
    nr_vcpus: int,
    nr_pages: int,
    store_port: int,
    console_port: int,
    at_ns: int,
  },
  'guest.irq_bound': { domid: int, port: int, handler: irqHandler, dev: int, peer: int },
  'guest.irq_unbound': { domid: int, port: int },
  'guest.irq_handled': { domid: int, port: int, handler: irqHandler, dev: int },
  'guest.page_granted': { domid: int, ref: int, gfn: int, remote_dom: int, readonly: bool },
  'guest.access_ended': { domid: int, ref: int, gfn: int },
  'guest.process_started': { domid: int, name: text, program: text, args: texts },
  'guest.process_exited': { domid: int, name: text },
  'guest.device_changed': {
    domid: int,
    device: oneOf('vbd', 'vif'),
    dev: int,
    state: oneOf('connected', 'closed'),
    info: text,
  },
  'guest.devices_stopping': { domid: int },
  'guest.work_started': { domid: int, work: int, issuer: text, kind: workKind, args: texts },
  'guest.work_finished': { domid: int, work: int, issuer: text, kind: workKind, errno: text, result: text },
  'hvc.text_written': { domid: int, text },
  'hvc.input_received': { domid: int, text },
} as const;
