// The fields of what a checkpoint holds beside tables, as data: so that it can be told whether a checkpoint of another version has them.
// The compiler keeps these lists equal to the types.
import type { ContextFrom } from 'xstate';
import { SETTINGS } from '../events/control.ts';
import type { blkback } from '../machines/blkback.ts';
import type { blkfront } from '../machines/blkfront.ts';
import type { consoleDaemon } from '../machines/dom0/console-daemon.ts';
import type { dom0Kernel } from '../machines/dom0/kernel.ts';
import type { xenconsoled } from '../machines/dom0/xenconsoled.ts';
import type { domain } from '../machines/domain.ts';
import type { Dom0Snapshot } from '../machines/executor/dom0-services.ts';
import type { GuestInterface, GuestNet, GuestPrivate, Inflight, PrivatesSnapshot } from '../machines/executor/private.ts';
import type { Asked } from '../machines/executor/system.ts';
import type { guestKernel } from '../machines/guest/kernel.ts';
import type { tty } from '../machines/guest/tty.ts';
import type { workload } from '../machines/guest/workload.ts';
import type { Kind } from '../machines/kinds.ts';
import type { netback } from '../machines/netback.ts';
import type { netfront } from '../machines/netfront.ts';
import type { pcpu } from '../machines/pcpu.ts';
import type { ActorSnapshot } from '../machines/system/directory.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import type { PlanContext } from '../machines/toolstack/plan-machine.ts';
import type { vcpu } from '../machines/vcpu.ts';
import type { watch } from '../machines/watch.ts';
import type { Access } from '../src/core/control/state.ts';
import type { IoreqServer, Servers, Types } from '../src/core/hvm/state.ts';
import type { VcpuContext } from '../src/core/mm/state.ts';
import type { Range } from '../src/core/p2m/ranges.ts';
import type { MemoryMap, P2mSnapshot } from '../src/core/p2m/state.ts';
import type { Pminfo } from '../src/core/platform/state.ts';
import type { Buffers } from '../src/core/trace/state.ts';
import type { XenSnapshot } from '../src/core/xen.ts';
import type { GuestRecord, Request, Work } from '../src/guest/state.ts';
import type { HostSnapshot } from '../src/host.ts';
import type { Bridge, Station } from '../src/net/bridge.ts';
import type { Responder, ResponderConfig } from '../src/net/responder.ts';
import type { Stack } from '../src/net/stack.ts';
import type { HostRecord, Job } from '../src/toolstack/state.ts';
import type { BridgeRecord } from '../src/xenbus/net/state.ts';
import type { XenStoreSnapshot } from '../src/xenstore/index.ts';

/** By name: nothing of a field that is always there, `?` of one that may be missing. */
export type Fields = Readonly<Record<string, '' | '?'>>;

type AllKeys<T> = T extends unknown ? keyof T & string : never;
type FieldsOf<T> = {
  readonly [K in AllKeys<T>]: K extends keyof T ? (Record<never, never> extends Pick<T, K> ? '?' : '') : '?';
};
const of = <T>(fields: FieldsOf<T>): Fields => fields;

const text = of<{ text: string }>({ text: '' });
const frames = of<{ frames: unknown }>({ frames: '' });

/** Of records, by their name and the place in them: '' is the record itself, `*` each item of a list. */
export const recordFields: Readonly<Record<string, Readonly<Record<string, Fields>>>> = {
  memory_map: { '': of<MemoryMap>({ entries: '' }) },
  pv_vcpu: {
    '': of<VcpuContext>({
      callbacks: '',
      dr: '',
      dr6: '',
      dr7: '',
      dr7_emul: '',
      gdt_ents: '',
      gdt_frames: '',
      iopl: '',
      kernel_sp: '',
      kernel_ss: '',
      ldt_base: '',
      ldt_ents: '',
      loaded: '',
      regs: '',
      segment_bases: '',
      trap_table: '',
      ts: '',
      user: '',
    }),
  },
  'console.lines': { '': text },
  'control.settings': { '': Object.fromEntries(SETTINGS.map((setting) => [setting, '?'])) },
  'control.access': { '': of<Access>({ irqs: '', iomem: '', ioports: '' }) },
  'control.pools': { '': frames },
  'hvm.ioreq_servers': {
    '': of<Servers>({ list: '', left: '' }),
    'list.*': of<IoreqServer>({
      bufioreq_gfn: '',
      bufioreq_mfn: '',
      bufioreq_port: '',
      emulator: '',
      enabled: '',
      handle_bufioreq: '',
      id: '',
      ioreq_gfn: '',
      ioreq_mfn: '',
      memory: '',
      pci: '',
      port: '',
      ports: '',
    }),
  },
  'hvm.types': { '': of<Types>({ ram_ro: '', mmio_dm: '', ioreq_server: '', mapped_to: '', pinned: '' }) },
  'console.typed': { '': text },
  pminfo: { '': of<Pminfo>({ px: '', cx: '' }) },
  offlined: { '': frames },
  apics: { '': of<{ ids: unknown }>({ ids: '' }) },
  'trace.buffers': { '': of<Buffers>({ cpus: '', info: '', buffers: '', without: '' }) },
  guest: {
    '': of<GuestRecord>({
      cmdline: '',
      console_port: '',
      kernel: '',
      next_req_id: '',
      next_work: '',
      processes: '',
      requests: '',
      started: '',
      started_ns: '',
      store_port: '',
      works: '',
    }),
    'works.*': of<Work>({ args: '', issuer: '', kind: '', started_by: '', work: '' }),
    'requests.*': of<Request>({ issuer: '', req_id: '', request: '' }),
  },
  typed: { '': of<{ text: string; by: number }>({ text: '', by: '' }) },
  'vbd.disk': { '': of<{ params: unknown }>({ params: '' }) },
  bridge: {
    '': of<BridgeRecord>({ name: '', bridge: '', config: '', responder: '' }),
    bridge: of<Bridge>({ ageing_ns: '', max_stations: '', ports: '', stations: '' }),
    'bridge.stations.*': of<Station>({ mac: '', port: '', seen_ns: '' }),
    config: of<ResponderConfig>({ dhcp: '?', ip: '', mac: '' }),
    responder: of<Responder>({ leases: '' }),
  },
  host: { '': of<HostRecord>({ prng: '', booted: '', ended: '', next_job: '' }) },
  job: { '': of<Job>({ argv: '', rc: '' }) },
  config: { '': of<{ json: string }>({ json: '' }) },
};

const plan = of<PlanContext>({ at: '', p: '', asked: '', returns: '', heard: '', to: '' });

/** What each kind of actor keeps in mind. */
export const contextFields: Readonly<Record<Kind, Fields>> = {
  domain: of<ContextFrom<typeof domain>>({ domid: '', pauses: '' }),
  vcpu: of<ContextFrom<typeof vcpu>>({ blocked: '', cpu: '', detached: '', domid: '', parked: '', pauses: '', up: '', vcpu: '' }),
  pcpu: of<ContextFrom<typeof pcpu>>({ cpu: '' }),
  watch: of<ContextFrom<typeof watch>>({ conn: '', path: '', token: '', owner: '' }),
  guestKernel: of<ContextFrom<typeof guestKernel>>({
    address: '',
    asked: '',
    cmdline: '',
    conn: '',
    connected: '',
    devices: '',
    domid: '',
    id: '',
    kernel: '',
    keys: '',
    nr_pages: '',
    nr_vcpus: '',
    stopping: '',
    timerPort: '',
    toProbe: '',
    toStart: '',
    tx: '',
    vcpu: '',
  }),
  tty: of<ContextFrom<typeof tty>>({
    args: '',
    domid: '',
    done: '',
    hostname: '',
    id: '',
    issue: '',
    line: '',
    lines: '',
    name: '',
    password: '',
    plan: '',
    root: '',
    shadow: '',
    todo: '',
    user: '',
  }),
  workload: of<ContextFrom<typeof workload>>({ args: '', domid: '', id: '', kind: '', rest: '', round: '' }),
  blkfront: of<ContextFrom<typeof blkfront>>({
    asked: '',
    conn: '',
    domid: '',
    keys: '',
    name: '',
    port: '',
    ringGfn: '',
    ringRef: '',
    tx: '',
    vdev: '',
  }),
  netfront: of<ContextFrom<typeof netfront>>({
    asked: '',
    conn: '',
    devid: '',
    domid: '',
    keys: '',
    name: '',
    ports: '',
    refused: '',
    rings: '',
    tx: '',
  }),
  dom0Kernel: of<ContextFrom<typeof dom0Kernel>>({ asked: '', found: '' }),
  xenconsoled: of<ContextFrom<typeof xenconsoled>>({ conn: '', known: '', at: '' }),
  consoleDaemon: of<ContextFrom<typeof consoleDaemon>>({
    asked: '',
    conn: '',
    dom: '',
    handle: '',
    id: '',
    keys: '',
    mfn: '',
    name: '',
    port: '',
    tx: '',
  }),
  blkback: of<ContextFrom<typeof blkback>>({
    asked: '',
    conn: '',
    domid: '',
    frontend: '',
    info: '',
    keys: '',
    name: '',
    port: '',
    ringHandle: '',
    ringMfn: '',
    sectors: '',
    tx: '',
    vdev: '',
  }),
  netback: of<ContextFrom<typeof netback>>({
    asked: '',
    conn: '',
    devid: '',
    domid: '',
    frontend: '',
    keys: '',
    name: '',
    ports: '',
    refused: '',
    rings: '',
    tx: '',
  }),
  hostBoot: plan,
  hotplug: plan,
  xl: plan,
  xlDaemon: plan,
};

type Stores = Dom0Snapshot['xenstored'];
type Of<M> = M extends ReadonlyMap<unknown, infer T> ? T : M extends readonly (infer T)[] ? T : never;
type Connections = XenStoreSnapshot['connections'];
type Transactions = Of<Of<Connections>['transactions']>;

/** Of everything else, by where it stands in a checkpoint: `*` is each item of a list or a map. */
export const partFields: Readonly<Record<string, Fields>> = {
  '': of<Checkpoint>({ seq: '', now: '', debt: '', due: '', host: '', memory: '', actors: '', guests: '', dom0: '' }),
  host: of<HostSnapshot>({ xen: '', store: '', tables: '', records: '' }),
  'host.xen': of<XenSnapshot>({ tables: '', records: '', p2m: '' }),
  'host.xen.p2m': of<P2mSnapshot>({ domains: '', pod: '', free: '' }),
  'host.xen.p2m.domains.*.1.*': of<Range>({ gfn: '', mfn: '', count: '' }),
  'host.xen.p2m.pod.*.1.*': of<Range>({ gfn: '', mfn: '', count: '' }),
  'host.xen.p2m.free.*': of<Range>({ gfn: '', mfn: '', count: '' }),
  'host.store': of<XenStoreSnapshot>({
    connections: '',
    counters: '',
    domains: '',
    rate: '',
    root: '',
    settings: '',
    specials: '',
  }),
  'host.store.counters': of<XenStoreSnapshot['counters']>({
    arrivals: '',
    births: '',
    generation: '',
    incarnations: '',
    lastSocket: '',
  }),
  'host.store.settings': of<XenStoreSnapshot['settings']>({ quotas: '', traces: '' }),
  'host.store.rate': of<XenStoreSnapshot['rate']>({ clock_ms: '', counted_ms: '', domains: '', reserve: '', transactions: '' }),
  'host.store.domains.*': of<Of<XenStoreSnapshot['domains']>>({
    credit: '',
    credited_ms: '',
    domid: '',
    features: '',
    introduced: '',
    mfn: '',
    port: '',
    quotas: '',
    shutdown: '',
    since: '',
    target: '',
  }),
  'host.store.connections.*': of<Of<Connections>>({
    blocked: '',
    conn: '',
    domid: '',
    ignored: '',
    lastTx: '',
    order: '',
    transactions: '',
    unread: '',
    watches: '',
  }),
  'host.store.connections.*.watches.*': of<Of<Of<Connections>['watches']>>({
    conn: '',
    connOrder: '',
    depth: '',
    node: '',
    order: '',
    path: '',
    token: '',
  }),
  'host.store.connections.*.transactions.*': of<Transactions>({
    accesses: '',
    births: '',
    bytes: '',
    failed: '',
    generation: '',
    id: '',
    owned: '',
  }),
  'host.store.connections.*.transactions.*.accesses.*': of<Of<Transactions['accesses']>>({
    added: '',
    before: '',
    born: '',
    childBytes: '',
    exists: '',
    expected: '',
    frozen: '',
    generation: '',
    index: '',
    modified: '',
    origin: '',
    path: '',
    perms: '',
    permsSet: '',
    queued: '',
    removed: '',
    value: '',
    written: '',
  }),
  'actors.*': of<ActorSnapshot>({ kind: '', snapshot: '' }),
  guests: of<PrivatesSnapshot>({ guests: '', caches: '' }),
  'guests.guests.*': of<GuestPrivate>({
    compute: '',
    hvcTx: '',
    inbox: '',
    inflight: '',
    net: '',
    pool: '',
    sleeps: '',
    storeRx: '',
    storeTx: '',
    timer: '',
    transfers: '',
  }),
  'guests.guests.*.inbox.*': of<Asked>({ command: '', origin: '', cause: '' }),
  'guests.guests.*.inflight.*': of<Inflight>({ cache: '', id: '', nr_sectors: '', sector: '', vdev: '', work: '' }),
  'guests.guests.*.net': of<GuestNet>({ wakeAt: '', interfaces: '' }),
  'guests.guests.*.net.interfaces.*': of<GuestInterface>({
    devid: '',
    dhcp: '',
    pings: '',
    rx: '',
    stack: '',
    tx: '',
    waiting: '',
    wakeAt: '',
  }),
  'guests.guests.*.net.interfaces.*.stack': of<Stack>({ dhcp: '', fixed: '', hostname: '', mac: '', neighbours: '', pings: '' }),
  dom0: of<Dom0Snapshot>({ xenstored: '', disks: '', block: '' }),
  'dom0.xenstored': of<Stores>({ connections: '', queue: '', timer: '' }),
  'dom0.xenstored.connections.*': of<Of<Stores['connections']>>({ handle: '', local_port: '', mfn: '', rx: '' }),
  'dom0.xenstored.queue': of<Stores['queue']>({ bounds: '', messages: '' }),
  'dom0.xenstored.queue.bounds.*': of<Of<Stores['queue']['bounds']>>({ first: '', next: '', replies: '', sent: '' }),
  'dom0.xenstored.queue.messages.*': of<Of<Stores['queue']['messages']>>({ bytes: '', reply: '', until: '' }),
  'dom0.xenstored.timer.*': of<Of<Stores['timer']>>({ deadline: '' }),
  'dom0.block.*': of<Of<Dom0Snapshot['block']>>({ maps: '' }),
};
