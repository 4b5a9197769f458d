// Event channels: each domain's ports, and which port a virtual interrupt goes to.
import type { Journal } from '../../tables/journal.ts';
import { type Rows, Table } from '../../tables/table.ts';

export const evtchnSchema = {
  /** ECS_* of xen/include/xen/sched.h. */
  state: ['free', 'unbound', 'interdomain', 'virq', 'ipi'],
  notify_vcpu: 'u8',
  /** For unbound: who may bind. For interdomain: the peer. */
  remote_dom: 'u16',
  remote_port: 'u32',
  virq: 'u8',
  /** The step that last raised it: the cause of whatever its handler does. */
  raised_by: 'f64',
} as const;
export type Ports = Rows<typeof evtchnSchema>;

/** Row vcpu * NR_VIRQS + virq: the port, 0 for none. */
export const virqSchema = { port: 'u32' } as const;

/** public/xen.h. */
export const NR_VIRQS = 24;
export const VIRQ_TIMER = 0;
export const VIRQ_DEBUG = 1;
export const VIRQ_CONSOLE = 2;
export const VIRQ_DOM_EXC = 3;
/** VIRQs of a domain as a whole, bound on vCPU 0 only (xen/common/event_channel.c, get_virq_type()). */
const perVcpu: readonly number[] = [VIRQ_TIMER, VIRQ_DEBUG, 9 /* XENOPROF */, 13 /* XENPMU */];
export const isGlobalVirq = (virq: number): boolean => !perVcpu.includes(virq);

/** How many ports the two-level ABI has with 64-bit words (public/event_channel.h, EVTCHN_2L_NR_CHANNELS). */
export const EVTCHN_2L_NR_CHANNELS = 4096;

export class Evtchn {
  readonly ports: Table<typeof evtchnSchema>;
  readonly virqs: Table<typeof virqSchema>;
  constructor(journal: Journal) {
    this.ports = new Table('evtchn', evtchnSchema, journal, 32);
    this.virqs = new Table('virq', virqSchema, journal, 32);
  }
  get tables() {
    return [this.ports, this.virqs] as const;
  }
}
