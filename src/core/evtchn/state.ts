// Event channels: each domain's ports, and which port a virtual interrupt goes to.
import type { DomId, Port } from '../../../events/units.ts';
import { EVTCHN_FIFO } from '../../abi/event-channel.ts';
import { NR_VIRQS, VIRQ } from '../../abi/virq.ts';
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';

export const evtchnSchema = {
  /** ECS_* of xen/include/xen/sched.h. */
  state: ['free', 'unbound', 'interdomain', 'virq', 'ipi', 'pirq'],
  notify_vcpu: 'u8',
  /** For unbound: who may bind. For interdomain: the peer. */
  remote_dom: 'u16',
  remote_port: 'u32',
  /** The VIRQ, or the pirq. */
  virq: 'u16',
  /** The step that last raised it: the cause of whatever its handler does. */
  raised_by: 'f64',
} as const;
export type Ports = Rows<typeof evtchnSchema>;

/** Row vcpu * NR_VIRQS + virq: the port, 0 for none. */
export const virqSchema = { port: 'u32' } as const;

/** Row VIRQ: the domain that hears of one of the whole host. dom0, unless set_virq_handler has said otherwise. */
export const virqHandlerSchema = { domid: 'u16' } as const;

/** VIRQs of a domain as a whole, bound on vCPU 0 only (xen/common/event_channel.c, virq_is_global()). */
const perVcpu: readonly number[] = [VIRQ.TIMER, VIRQ.DEBUG, VIRQ.XENOPROF, VIRQ.XENPMU];
export const isGlobalVirq = (virq: number): boolean => !perVcpu.includes(virq);
/** Where a VIRQ's port stands: a global one belongs to vCPU 0, whichever vCPU it notifies. */
export const virqRow = (virq: number, vcpu: number): number => (isGlobalVirq(virq) ? 0 : vcpu) * NR_VIRQS + virq;

/** Row pirq: what a domain may do with it. Only domains that have been given one have rows. */
export const pirqSchema = { state: ['none', 'mapped', 'allocated'], port: 'u32' } as const;
/** How many pirqs a domain can have (nr_pirqs of struct domain): as many as dom0 of the recorded machine, with one IO-APIC and two pCPUs. */
export const NR_PIRQS = 416;
/** The interrupts of the ISA bus, which dom0 has from the beginning (init_domain_irq_mapping()). */
export const isOfIsa = (domid: DomId, pirq: number): boolean => domid === 0 && pirq > 0 && pirq < 16;

/**
 * The FIFO ABI's tables; a domain that uses it has rows in all of them, and no other. Row vcpu: its control block. A frame stands plus
 * one here, so that no row in use is 0.
 */
export const controlSchema = { mfn_plus_1: 'f64', offset: 'u32' } as const;
/** Row vcpu * 16 + priority: the last port of that queue. */
export const queueSchema = { tail: 'u32' } as const;
export const queueRow = (vcpu: number, priority: number): number => vcpu * EVTCHN_FIFO.MAX_QUEUES + priority;
/** Row i: the i-th page of event words. */
export const arraySchema = { mfn_plus_1: 'f64' } as const;
/** Row port: whether it waits for its word; its priority, as the difference to the default; the queue that it was last put on. */
export const fifoPortSchema = { saved: 'u8', priority: 'i32', last_vcpu: 'u8', last_priority: 'u8' } as const;

/** How many ports the two-level ABI has with 64-bit words (public/event_channel.h, EVTCHN_2L_NR_CHANNELS). */
export const EVTCHN_2L_NR_CHANNELS = 4096;
/** And with 32-bit words. */
export const EVTCHN_2L_NR_CHANNELS_32 = 1024;
/** How many ports Xen makes room for at a time (xen/include/xen/sched.h); what is beyond is no port at all. */
const EVTCHNS_PER_BUCKET = 64;

export class Evtchn {
  readonly ports: Table<typeof evtchnSchema>;
  readonly virqs: Table<typeof virqSchema>;
  readonly pirqs: Table<typeof pirqSchema>;
  readonly handlers: Table<typeof virqHandlerSchema>;
  readonly controls: Table<typeof controlSchema>;
  readonly queues: Table<typeof queueSchema>;
  readonly arrays: Table<typeof arraySchema>;
  readonly fifoPorts: Table<typeof fifoPortSchema>;
  constructor(journal: Journal) {
    this.ports = new Table('evtchn', evtchnSchema, journal, EVTCHNS_PER_BUCKET);
    this.virqs = new Table('virq', virqSchema, journal, 32);
    this.pirqs = new Table('pirq', pirqSchema, journal, 16);
    this.handlers = new Table('virq.handler', virqHandlerSchema, journal, 32);
    this.handlers.add(0);
    this.controls = new Table('evtchn.control', controlSchema, journal, 4);
    this.queues = new Table('evtchn.queue', queueSchema, journal, 16);
    this.arrays = new Table('evtchn.array', arraySchema, journal, 4);
    this.fifoPorts = new Table('evtchn.fifo', fifoPortSchema, journal, EVTCHNS_PER_BUCKET);
  }
  get tables() {
    return [this.ports, this.virqs] as const;
  }
  get fifoTables() {
    return [this.controls, this.queues, this.arrays, this.fifoPorts] as const;
  }
  isFifo(domid: DomId): boolean {
    return this.controls.of(domid) !== undefined;
  }
  /** Whether there is room for a port, free or not (port_is_valid() in xen/include/xen/event.h). The first bucket is always there. */
  isValid(domid: DomId, port: Port): boolean {
    return port >= 0 && port < Math.max(EVTCHNS_PER_BUCKET, this.ports.of(domid)?.length ?? 0);
  }
}
