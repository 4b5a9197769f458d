// Host = hypervisor + XenStore + devices + toolstack: their state, and one decide, evolve and writeGuest over all of them.
import type { GuestReader } from '../events/step.ts';
import type { DomId, Ns } from '../events/units.ts';
import { mibToPages } from '../events/units.ts';
import { type Command, type CommandsOf, type Fact, type FactsOf, groups, type Outcome } from '../events/vocabulary.ts';
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

  /** Equal for equal states, whatever their history. `without`: columns that do not count (`Table.digest`). */
  digest(without?: ReadonlySet<string>): number {
    return mix(mix(this.xen.digest(without), this.store.digest()), digestOf([...this.tables, ...this.records], without)) >>> 0;
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
    return this.allTables.find((table) => table.name === name);
  }
  get tableNames(): readonly string[] {
    return this.allTables.map((table) => table.name);
  }
  /** Xen's tables and then the others, in the order in which a snapshot has them. */
  get allTables(): readonly Table<TableSchema>[] {
    return [...this.xen.tables, ...this.tables];
  }
  /** The same of records. */
  get allRecords(): readonly Records<object>[] {
    return [...this.xen.records, ...this.records];
  }
  /** Those tables in which every domain has rows. */
  get tablesPerDomain(): readonly Table<TableSchema>[] {
    const { xen, guests, vbds, vifs } = this;
    return [...xen.tablesPerDomain, ...([...guests.tables, ...vbds.tables, ...vifs.tables] as unknown as Table<TableSchema>[])];
  }
  /** Digests of its parts by name, each the same for equal contents: `table evtchn`, `record job`, `p2m`, `store`. */
  *digests(): Generator<[name: string, digest: number]> {
    for (const table of this.allTables) yield [`table ${table.name}`, table.digest()];
    for (const record of this.allRecords) yield [`record ${record.name}`, record.digest()];
    yield ['p2m', this.xen.p2m.digest()];
    yield ['store', this.store.digest()];
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

/** A group of the vocabulary that is not the hypervisor's: who decides its operations, and who applies its facts. */
interface Part<G extends keyof typeof groups> {
  decide(host: Host, command: CommandsOf<G>, now: Ns, reader: GuestReader): Outcome;
  evolve(host: Host, event: FactsOf<G>, seq: number): void;
  writeGuest?(host: Host, memory: Memory, event: FactsOf<G>): void;
}
const kernel = {
  decide: ({ xen, guests }, command, now, reader) => guest.decide(xen, guests, command, now, reader),
  evolve: ({ guests }, event, seq) => guest.evolve(guests, event, seq),
} satisfies Part<'guest' | 'xenbus'>;
const parts = {
  xenstore: {
    decide: ({ store, xen }, command) => xenstore.decide(store, command, { exists: (domid: DomId) => xen.exists(domid) }),
    evolve: ({ store }, event, seq) => xenstore.evolve(store, event, seq),
  },
  guest: { ...kernel, writeGuest: ({ xen }, memory, event) => guest.writeGuest(xen, memory, event) },
  xenbus: kernel,
  console: {
    decide: ({ xen, consoles: state }, command) => consoles.decide(xen, state, command),
    evolve: ({ consoles: state }, event, seq) => consoles.evolve(state, event, seq),
  },
  vbd: {
    decide: ({ vbds, disks }, command) => block.decide(vbds, disks, command),
    evolve: ({ vbds }, event, seq) => block.evolve(vbds, event, seq),
  },
  vif: {
    decide: ({ vifs }, command, now) => net.decide(vifs, command, now),
    evolve: ({ vifs }, event, seq) => net.evolve(vifs, event, seq),
  },
  toolstack: {
    decide: ({ toolstack: state, config }, command) => toolstack.decide(state, config, command),
    evolve: ({ toolstack: state }, event) => evolveToolstack(state, event),
  },
} as const satisfies { readonly [G in keyof typeof groups]?: Part<G> };

// As in the core: objects without a prototype.
const deciderOf: Record<string, Part<never>> = Object.create(null);
const evolverOf: Record<string, Part<never>> = Object.create(null);
for (const [group, part] of Object.entries(parts)) {
  const { operations, facts } = groups[group as keyof typeof parts];
  for (const type of Object.keys(operations)) deciderOf[type] = part;
  for (const type of Object.keys(facts)) evolverOf[type] = part;
}

/** Checks a command. Reads tables freely and guest memory through `reader`; changes nothing. */
export function decide(host: Host, command: Command, now: Ns, reader: GuestReader): Outcome {
  const part = deciderOf[command.type];
  return part
    ? part.decide(host, command as never, now, reader)
    : core.decide(host.xen, command as core.CoreCommand, now, reader);
}

/** Applies a fact. Total; the only writer of a host's state. */
export function evolve(host: Host, event: Fact, seq: number): void {
  const part = evolverOf[event.type];
  if (part) part.evolve(host, event as never, seq);
  else {
    core.evolve(host.xen, event as core.CoreFact, seq);
    if (event.type === 'domain.created') created(host, event.domid);
    else if (event.type === 'domain.destroyed') destroyed(host, event.domid);
  }
}

function created({ guests, vbds, vifs }: Host, domid: DomId): void {
  guests.add(domid);
  for (const table of [...vbds.tables, ...vifs.tables]) (table as unknown as Table<TableSchema>).add(domid);
}
function destroyed({ guests, vbds, vifs, toolstack: { configs } }: Host, domid: DomId): void {
  guests.remove(domid);
  for (const table of [...vbds.tables, ...vifs.tables]) (table as unknown as Table<TableSchema>).remove(domid);
  configs.delete(domid);
  vbds.disks.delete(domid);
}

/** What a fact does to guest memory. Live and in re-enactment only; called before `evolve`. */
export function writeGuest(host: Host, memory: Memory, event: Fact): void {
  const part = evolverOf[event.type];
  if (part) part.writeGuest?.(host, memory, event as never);
  else core.writeGuest(host.xen, memory, event as core.CoreFact);
}

const subsystems: Record<string, string> = Object.create(null);
/** The part of a name before its dot, remembered for every name. */
export function subsystemOf(type: string): string {
  subsystems[type] ??= type.slice(0, type.indexOf('.'));
  return subsystems[type];
}
