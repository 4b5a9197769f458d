// What an actor guest's kernel keeps about itself: handlers of its event channels, pages it granted, work and requests under way.
import type { DomId, Gfn, Gref, Ns } from '../../events/units.ts';
import type { FactOf } from '../../events/vocabulary.ts';
import type { Journal } from '../tables/journal.ts';
import { Records } from '../tables/records.ts';
import { type Rows, Table } from '../tables/table.ts';

/** Row: the port. `dev` is the device number, `peer` the frontend's domain in a backend's row. */
export const irqSchema = {
  handler: ['none', 'timer', 'store', 'console', 'vbd', 'vif', 'domain'],
  dev: 'u32',
  peer: 'u16',
} as const;
export type Irqs = Rows<typeof irqSchema>;
/** Row: the grant reference. */
export const grefSchema = { state: ['free', 'granted'], remote_dom: 'u16' } as const;

/**
 * What one guest may have under way. Beyond, its own kernel refuses: EAGAIN to fork, EBUSY for a work or a request, E2BIG and ENOSPC for
 * what is too long. A guest that gets there has hurt itself alone.
 */
export const LIMITS = {
  /** Linux's default `kernel.pid_max`. dom0 has one for each console and each backend. */
  processes: 32768,
  works: 1024,
  requests: 1024,
  /** A name, of a process or an issuer. */
  name: 255,
  /** The path of a kernel (PATH_MAX). */
  path: 4096,
  /** Arguments together (MAX_ARG_STRLEN of Linux), and a kernel's command line. */
  args: 131072,
  /** What may wait for the console, and what is printed at once: a file's text and more. */
  text: 4 << 20,
} as const;

/** What a process may be: the guest's and dom0's machines. */
export const programs: readonly string[] = [
  'tty',
  'workload',
  'blkfront',
  'netfront',
  'xenconsoled',
  'consoleDaemon',
  'blkback',
  'netback',
];

/** References below are spoken for (GNTTAB_NR_RESERVED_ENTRIES): 0 is the console's, 1 XenStore's. */
export const FIRST_GREF = 8;
export const GNTTAB_RESERVED_CONSOLE = 0;
export const GNTTAB_RESERVED_XENSTORE = 1;
/** Where the pages lie that an actor guest's domain builder and drivers use. */
export const START_INFO_GFN: Gfn = 2;
export const STORE_GFN: Gfn = 3;
export const CONSOLE_GFN: Gfn = 4;
const POOL_GFN: Gfn = 16;
/** Each grantable page has one reference of its own, so that there is one allocator and not two. */
export const pageOf = (ref: Gref): Gfn => POOL_GFN + ref;

export interface Work {
  readonly work: number;
  readonly issuer: string;
  readonly kind: FactOf<'guest.work_started'>['kind'];
  readonly args: readonly string[];
  /** The step that started it: the cause of what it does. */
  readonly started_by: number;
}
export interface Request {
  readonly req_id: number;
  readonly issuer: string;
  /** The type of the command that was sent. */
  readonly request: string;
}
/** One domain's image and what its kernel has under way; short lists, oldest first. */
export interface GuestRecord {
  readonly kernel: string;
  readonly cmdline: string;
  readonly store_port: number;
  readonly console_port: number;
  readonly started: boolean;
  /** When its kernel started: the beginning of its own time. */
  readonly started_ns: Ns;
  readonly next_work: number;
  readonly works: readonly Work[];
  readonly next_req_id: number;
  readonly requests: readonly Request[];
  readonly processes: readonly string[];
}

export class Guests {
  readonly irq: Table<typeof irqSchema>;
  readonly gref: Table<typeof grefSchema>;
  readonly records: Records<GuestRecord>;
  constructor(journal: Journal) {
    this.irq = new Table('irq', irqSchema, journal, 32);
    this.gref = new Table('gref', grefSchema, journal, 64);
    this.records = new Records('guest', journal);
  }
  get tables() {
    return [this.irq, this.gref] as const;
  }
  add(domid: DomId): void {
    for (const table of this.tables) table.add(domid);
  }
  remove(domid: DomId): void {
    for (const table of this.tables) table.remove(domid);
    this.records.delete(domid);
  }
  /** The port of a domain that a device's handler has, or -1. */
  portOf(domid: DomId, handler: (typeof irqSchema)['handler'][number]): number {
    const irqs = this.irq.of(domid);
    for (let port = 1; irqs && port < irqs.length; port++) if (irqs.handler.is(port) === handler) return port;
    return -1;
  }
}
