// Host = hypervisor + XenStore + devices + toolstack: their state, and one decide, evolve and writeGuest over all of them.
import type { GuestReader } from '../events/step.ts';
import type { DomId, Ns } from '../events/units.ts';
import { mibToPages } from '../events/units.ts';
import type { Command, Fact, Outcome, ToolstackCommand } from '../events/vocabulary.ts';
import * as core from './core/index.ts';
import { Xen, type XenSnapshot } from './core/xen.ts';
import * as guest from './guest/index.ts';
import { Guests } from './guest/state.ts';
import type { HostConfig, XenConfig } from './host-config.ts';
import type { Memory } from './memory/memory.ts';
import { Journal } from './tables/journal.ts';
import type { Records } from './tables/records.ts';
import { digestOf, mix, type Table, type TableSchema, type TableSnapshot } from './tables/table.ts';
import * as toolstack from './toolstack/decide.ts';
import { evolve as evolveToolstack } from './toolstack/evolve.ts';
import { Toolstack } from './toolstack/state.ts';
import * as block from './xenbus/block/index.ts';
import { Vbds } from './xenbus/block/state.ts';
import * as consoles from './xenbus/console/index.ts';
import { Consoles } from './xenbus/console/state.ts';
import * as net from './xenbus/net/index.ts';
import { Vifs } from './xenbus/net/state.ts';
import * as xenstore from './xenstore/index.ts';
import { XenStore, type XenStoreSnapshot } from './xenstore/index.ts';

export interface HostOptions {
  readonly config: HostConfig;
  readonly seed: number;
}
export interface HostSnapshot {
  readonly xen: XenSnapshot;
  readonly store: XenStoreSnapshot;
  readonly tables: readonly TableSnapshot[];
  readonly records: readonly ReadonlyMap<number, object>[];
}

/** All state that facts change. What guests have in memory, and what actors are doing, is elsewhere. */
export class Host {
  readonly journal = new Journal();
  readonly config: HostConfig;
  readonly xen: Xen;
  readonly store: XenStore;
  readonly guests: Guests;
  readonly consoles: Consoles;
  readonly vbds: Vbds;
  readonly vifs: Vifs;
  readonly toolstack: Toolstack;
  /** Sizes of the files that may be disks. */
  readonly disks: block.DiskSizes;
  private readonly tables: readonly Table<TableSchema>[];
  private readonly records: readonly Records<object>[];

  constructor({ config, seed }: HostOptions) {
    const { journal } = this;
    this.config = config;
    const machine = { nrCpus: config.pcpus, totalPages: mibToPages(config.memory_mib) };
    this.xen = new Xen(journal, { ...machine, ...schedulingOf(config), ...bootedWith(config.xen ?? {}) });
    this.store = new XenStore(journal, xenstore.profiles[config.xen_version]);
    this.guests = new Guests(journal);
    this.consoles = new Consoles(journal);
    this.vbds = new Vbds(journal);
    this.vifs = new Vifs(journal);
    this.toolstack = new Toolstack(journal, seed);
    this.disks = new Map(config.files.flatMap((file) => (file.kind === 'disk' ? [[file.path, file.sectors] as const] : [])));
    this.tables = [
      ...this.guests.tables,
      this.consoles.rows,
      ...this.vbds.tables,
      ...this.vifs.tables,
    ] as unknown as Table<TableSchema>[];
    this.records = [
      this.guests.records,
      this.consoles.typed,
      this.vbds.disks,
      this.vifs.bridges,
      this.toolstack.host,
      this.toolstack.jobs,
      this.toolstack.configs,
    ] as unknown as Records<object>[];
  }

  /** Equal for equal states, whatever their history. */
  digest(): number {
    return mix(mix(this.xen.digest(), this.store.digest()), digestOf([...this.tables, ...this.records])) >>> 0;
  }
  snapshot(): HostSnapshot {
    return {
      xen: this.xen.snapshot(),
      store: this.store.snapshot(),
      tables: this.tables.map((table) => table.snapshot()),
      records: this.records.map((record) => record.snapshot()),
    };
  }
  restore(snapshot: HostSnapshot): void {
    this.xen.restore(snapshot.xen);
    this.store.restore(snapshot.store);
    this.tables.forEach((table, i) => {
      table.restore(snapshot.tables[i]!);
    });
    this.records.forEach((record, i) => {
      record.restore(snapshot.records[i]!);
    });
  }
  /** Where another host's state differs from this one's, a line each. */
  *diff(other: Host): Generator<string> {
    yield* this.xen.diff(other.xen);
    yield* this.store.diff(other.store);
    for (const [i, table] of this.tables.entries()) yield* table.diff(other.tables[i]!);
    for (const [i, record] of this.records.entries()) yield* record.diff(other.records[i]!);
  }
  /** A table by the name that `inspect --table` takes. */
  table(name: string): Table<TableSchema> | undefined {
    return [...this.xen.tables, ...this.tables].find((table) => table.name === name);
  }
  /** What snapshots rely on: the tables and their columns, the records, each by name. */
  layout(): readonly string[] {
    const tables = [...this.xen.tables, ...this.tables].map(({ name, schema }) => JSON.stringify([name, schema]));
    return [...tables, ...this.records.map(({ name }) => name)];
  }
  get tableNames(): readonly string[] {
    return [...this.xen.tables, ...this.tables].map((table) => table.name);
  }
}

const schedulingOf = ({ scheduler, topology, credit2_runqueue }: HostConfig) => ({
  scheduler,
  ...(topology === undefined ? {} : { topology }),
  ...(credit2_runqueue === undefined ? {} : { credit2_runqueue }),
});

const bootedWith = ({ commandline = '', verbose_debug = false, iommu = false, pv32 = false, wallclock, tsc_khz }: XenConfig) => ({
  commandline,
  verboseDebug: verbose_debug,
  iommu,
  pv32,
  clock: { ...(wallclock === undefined ? {} : { wallclock }), ...(tsc_khz === undefined ? {} : { tscKhz: tsc_khz }) },
});

/** Checks a command. Reads tables freely and guest memory through `reader`; changes nothing. */
export function decide(host: Host, command: Command, now: Ns, reader: GuestReader): Outcome {
  const { xen } = host;
  switch (subsystemOf(command.type)) {
    case 'xenstore':
      return xenstore.decide(host.store, command as Parameters<typeof xenstore.decide>[1], {
        exists: (domid: DomId) => xen.exists(domid),
      });
    case 'guest':
    case 'xenbus':
    case 'hvc':
    case 'xc':
      return guest.decide(xen, host.guests, command as Parameters<typeof guest.decide>[2], now, reader);
    case 'console':
      return consoles.decide(xen, host.consoles, command as Parameters<typeof consoles.decide>[2]);
    case 'vbd':
      return block.decide(host.vbds, host.disks, command as Parameters<typeof block.decide>[2]);
    case 'vif':
    case 'bridge':
      return net.decide(host.vifs, command as Parameters<typeof net.decide>[1], now);
    case 'host':
    case 'xl':
    case 'bootloader':
    case 'hotplug':
      return toolstack.decide(host.toolstack, host.config, command as ToolstackCommand);
    default:
      return core.decide(xen, command as core.CoreCommand, now, reader);
  }
}

/** Applies a fact. Total; the only writer of a host's state. */
export function evolve(host: Host, event: Fact, seq: number): void {
  const { xen } = host;
  switch (subsystemOf(event.type)) {
    case 'xenstore':
      xenstore.evolve(host.store, event as Parameters<typeof xenstore.evolve>[1], seq);
      return;
    case 'guest':
    case 'xenbus':
    case 'hvc':
      guest.evolve(host.guests, event as Parameters<typeof guest.evolve>[1], seq);
      return;
    case 'console':
      consoles.evolve(host.consoles, event as Parameters<typeof consoles.evolve>[1], seq);
      return;
    case 'vbd':
      block.evolve(host.vbds, event as Parameters<typeof block.evolve>[1], seq);
      return;
    case 'vif':
    case 'bridge':
      net.evolve(host.vifs, event as Parameters<typeof net.evolve>[1], seq);
      return;
    case 'host':
    case 'xl':
    case 'bootloader':
    case 'hotplug':
      evolveToolstack(host.toolstack, event as Parameters<typeof evolveToolstack>[1]);
      return;
    default:
      core.evolve(xen, event as core.CoreFact, seq);
      if (event.type === 'domain.created') {
        host.guests.add(event.domid);
        for (const table of [...host.vbds.tables, ...host.vifs.tables]) (table as unknown as Table<TableSchema>).add(event.domid);
      } else if (event.type === 'domain.destroyed') {
        host.guests.remove(event.domid);
        for (const table of [...host.vbds.tables, ...host.vifs.tables])
          (table as unknown as Table<TableSchema>).remove(event.domid);
        host.toolstack.configs.delete(event.domid);
        host.vbds.disks.delete(event.domid);
      }
  }
}

/** What a fact does to guest memory. Live and in re-enactment only; called before `evolve`. */
export function writeGuest(host: Host, memory: Memory, event: Fact): void {
  if (subsystemOf(event.type) === 'guest') guest.writeGuest(host.xen, memory, event as Parameters<typeof guest.writeGuest>[2]);
  else core.writeGuest(host.xen, memory, event as core.CoreFact);
}

const subsystems = new Map<string, string>();
/** The part of a name before its dot, remembered for every name. */
export function subsystemOf(type: string): string {
  let subsystem = subsystems.get(type);
  if (subsystem === undefined) {
    subsystem = type.slice(0, type.indexOf('.'));
    subsystems.set(type, subsystem);
  }
  return subsystem;
}
