// What HVM domains have besides: parameters, ioreq servers, types of pages, interrupt lines.
import type { DomId, Gfn, Mfn } from '../../../events/units.ts';
import { hex64, wordsOf } from '../../abi/u64.ts';
import type { Journal } from '../../tables/journal.ts';
import { Records } from '../../tables/records.ts';
import { Table } from '../../tables/table.ts';
import { nothing, type RangeSet } from '../rangeset.ts';

/**
 * Row index: the parameter's value in two words. Domains of which none was set have no rows. The one that does not begin as 0, the reason
 * of a triple fault, stands as the difference to where it begins.
 */
export const hvmParamSchema = { low: 'u32', high: 'u32' } as const;
/** Row 128 + device * 4 + pin for PCI, row IRQ for ISA: whether the line is asserted; row 256 + link: its ISA interrupt. */
export const hvmLineSchema = { level: 'u8' } as const;
export const PCI_LINES = 128;
export const LINKS = 256;

/** What a triple fault is where nobody has said otherwise. */
const SHUTDOWN_reboot = 1;

/** HVM_PARAM_* of public/hvm/params.h. */
export const HVM_PARAM = {
  CALLBACK_IRQ: 0,
  STORE_PFN: 1,
  STORE_EVTCHN: 2,
  PAE_ENABLED: 4,
  IOREQ_PFN: 5,
  BUFIOREQ_PFN: 6,
  VIRIDIAN: 9,
  TIMER_MODE: 10,
  HPET_ENABLED: 11,
  IDENT_PT: 12,
  DM_DOMAIN: 13,
  ACPI_S_STATE: 14,
  VM86_TSS: 15,
  VPT_ALIGN: 16,
  CONSOLE_PFN: 17,
  CONSOLE_EVTCHN: 18,
  ACPI_IOPORTS_LOCATION: 19,
  MEMORY_EVENT_CR0: 20,
  MEMORY_EVENT_CR3: 21,
  MEMORY_EVENT_CR4: 22,
  MEMORY_EVENT_INT3: 23,
  NESTEDHVM: 24,
  MEMORY_EVENT_SINGLE_STEP: 25,
  BUFIOREQ_EVTCHN: 26,
  PAGING_RING_PFN: 27,
  MONITOR_RING_PFN: 28,
  SHARING_RING_PFN: 29,
  MEMORY_EVENT_MSR: 30,
  TRIPLE_FAULT_REASON: 31,
  IOREQ_SERVER_PFN: 32,
  NR_IOREQ_SERVER_PAGES: 33,
  VM_GENERATION_ID_ADDR: 34,
  ALTP2M: 35,
  X87_FIP_WIDTH: 36,
  VM86_TSS_SIZED: 37,
  MCA_CAP: 38,
} as const;
export const HVM_NR_PARAMS = 39;
export const MAX_NR_IOREQ_SERVERS = 8;

export interface IoreqServer {
  readonly id: number;
  readonly emulator: DomId;
  /** HVM_IOREQSRV_BUFIOREQ_* */
  readonly handle_bufioreq: number;
  readonly enabled: boolean;
  readonly ports: readonly number[];
  readonly bufioreq_port: number;
  /** -1 while they are not mapped. */
  readonly ioreq_gfn: Gfn;
  readonly bufioreq_gfn: Gfn;
  /** Those that Xen has made for it instead; -1 while it has not. */
  readonly ioreq_mfn: Mfn;
  readonly bufioreq_mfn: Mfn;
  readonly port: RangeSet;
  readonly memory: RangeSet;
  readonly pci: RangeSet;
}
/** What an HVM domain's pages are where they are not plain memory: by type, as ranges of guest frames. */
export interface Types {
  readonly ram_ro: RangeSet;
  readonly mmio_dm: RangeSet;
  readonly ioreq_server: RangeSet;
  /** The server that sees writes to the last of these, or -1. */
  readonly mapped_to: number;
  /** Ranges with a caching attribute of their own: start, end and attribute of each. */
  readonly pinned: readonly number[];
}
export const plainTypes: Types = { ram_ro: nothing, mmio_dm: nothing, ioreq_server: nothing, mapped_to: -1, pinned: nothing };

const none: readonly Mfn[] = [];

export interface Servers {
  readonly list: readonly IoreqServer[];
  readonly left: readonly Mfn[];
}

export class Hvm {
  readonly params: Table<typeof hvmParamSchema>;
  readonly lines: Table<typeof hvmLineSchema>;
  /** By domain, its servers by ascending id, and the pages of those that are gone and that somebody shows still. */
  readonly servers: Records<Servers>;
  readonly types: Records<Types>;
  constructor(journal: Journal) {
    this.params = new Table('hvm.param', hvmParamSchema, journal, 8);
    this.lines = new Table('hvm.line', hvmLineSchema, journal, 32);
    this.servers = new Records('hvm.ioreq_servers', journal);
    this.types = new Records('hvm.types', journal);
  }
  get sparseTables() {
    return [this.params, this.lines] as const;
  }
  get records() {
    return [this.servers, this.types] as const;
  }
  /** In hexadecimal. */
  param(domid: DomId, index: number): string {
    const rows = this.params.of(domid);
    const low = rows?.low.at(index) ?? 0;
    const high = rows?.high.at(index) ?? 0;
    return hex64({ low: index === HVM_PARAM.TRIPLE_FAULT_REASON ? low ^ SHUTDOWN_reboot : low, high });
  }
  setParam(domid: DomId, index: number, value: string): void {
    const rows = this.params.of(domid) ?? this.params.add(domid);
    const { low, high } = wordsOf(value);
    rows.low.put(index, index === HVM_PARAM.TRIPLE_FAULT_REASON ? low ^ SHUTDOWN_reboot : low);
    rows.high.put(index, high);
  }
  serversOf(domid: DomId): readonly IoreqServer[] {
    return this.servers.get(domid)?.list ?? [];
  }
  /** The pages that Xen has made for a domain's servers, also for those that are gone. */
  ioreqFrames(domid: DomId): readonly Mfn[] {
    const servers = this.servers.get(domid);
    if (servers === undefined) return none;
    const own = servers.list.flatMap(({ ioreq_mfn, bufioreq_mfn }) => [ioreq_mfn, bufioreq_mfn].filter((mfn) => mfn >= 0));
    return own.length === 0 ? servers.left : [...own, ...servers.left];
  }
  /** Whether nothing but those who show it keeps a page of a server's. */
  isLeft(domid: DomId, mfn: Mfn): boolean {
    return this.servers.get(domid)?.left.includes(mfn) ?? false;
  }
  server(domid: DomId, id: number): IoreqServer | undefined {
    return this.serversOf(domid).find((server) => server.id === id);
  }
  /** Lines that are asserted now: ISA's by number, PCI's by device * 4 + pin; and the ISA interrupt of each PCI link. */
  linesOf(domid: DomId): { readonly isa: readonly number[]; readonly pci: readonly number[]; readonly links: readonly number[] } {
    const level = this.lines.of(domid)?.level;
    const up = (from: number, to: number): number[] =>
      Array.from({ length: to - from }, (_, i) => i).filter((i) => level?.at(from + i) === 1);
    return { isa: up(0, 16), pci: up(PCI_LINES, LINKS), links: [0, 1, 2, 3].map((link) => level?.at(LINKS + link) ?? 0) };
  }
  typesOf(domid: DomId): Types {
    return this.types.get(domid) ?? plainTypes;
  }
}
