// How a PV domain is made (tools/libs/light/libxl_create.c, libxl_dom.c; libxc's domain builder): made, described, built, plugged in.

import type { Command } from '../../../events/vocabulary.ts';
import { pvDomain } from '../../abi/domctl.ts';
import { XEN_DOMCTL_SCHEDOP, XEN_VCPUAFFINITY } from '../../abi/scheduler.ts';
import type { Destroying } from './destroy.ts';
import { addDevice, backendPath, consoleOf, type Device, disksOf, nicsOf, recordPath, relativeBackendPath } from './device.ts';
import type { DomainSpec } from './domain-spec.ts';
import { answer, type Plan, type Return, refusal } from './plan.ts';
import {
  domainPath,
  end,
  libxlPath,
  node,
  read,
  rm,
  start,
  textOf,
  txOf,
  unwatch,
  vmPath,
  watch,
  write,
  XenbusState,
} from './store.ts';

/** What the making of a domain needs to know, and has found out so far. */
export interface Creating extends Destroying {
  readonly domain: DomainSpec;
  /** libxl's JSON of it, to be kept with the domain. */
  readonly config: string;
  /** It is not to run yet. */
  readonly paused: boolean;
  /** A daemon is to wait for its end: who stores a configuration gets one. */
  readonly watched: boolean;
  /** Somebody looks at its console from the start, and so at its boot loader. */
  readonly console: boolean;
  /** Kernels that dom0 has. */
  readonly kernels: readonly string[];
  /** Domains that there are; the last is where the next look begins. */
  readonly domids: readonly number[];
  readonly kernel: string;
  readonly ramdisk: string;
  readonly cmdline: string;
  /** The scheduler of Pool-0. */
  readonly sched_id: number;
  readonly store_port: number;
  readonly console_port: number;
  readonly store_mfn: number;
  readonly console_mfn: number;
  /** The devices that are being added together: disks, then the console, then network interfaces; and how many of them are done. */
  readonly devices: readonly Device[];
  readonly done: number;
  /** What went wrong, '' while nothing has; and what `xl` ends with. */
  readonly error: string;
  readonly rc: number;
}
export const nothingCreated = {
  domids: [],
  kernel: '',
  ramdisk: '',
  cmdline: '',
  sched_id: 0,
  store_port: 0,
  console_port: 0,
  store_mfn: 0,
  console_mfn: 0,
  devices: [],
  done: 0,
} as const;

/** libxl's own statuses as `xl create` ends with them: ERROR_FAIL, ERROR_INVAL. */
export const RC_FAIL = 3;
export const RC_INVAL = 6;

const POOL = 'Pool-0';
/** Above what a domain is given, for what its toolstack allocates in it (LIBXL_MAXMEM_CONSTANT, in KiB). */
const MAXMEM_SLACK_KB = 1024;
/** Where the domain builder has put the rings, and in which grants (xg_dom_boot.c, xc_dom_gnttab_seed). */
const CONSOLE_GFN = 4;
const STORE_GFN = 3;
const GNTTAB_RESERVED_CONSOLE = 0;
const GNTTAB_RESERVED_XENSTORE = 1;
/** There is no clock to ask: every domain starts at the beginning of the run. */
const START_TIME = '0.00';

/**
 * The phases from the first, `checkingPool`, on. `done` follows a success, `undo` (the first of destroyPhases) a failure of which
 * something is left, and `refused` one that left nothing. libxl waits for the backends of all disks at once, we for one after the other.
 */
export const createPhases = <P extends Creating>({
  done,
  undo,
  refused,
}: {
  done: string;
  undo: string;
  refused: string;
}): Plan<P> => ({
  checkingPool: {
    to: ['makingDomain', refused],
    ask: (p) => [read(p, '/local/pool/0/name')],
    learn: (p, [name]) => {
      const { pool } = p.domain;
      if (pool === '' || pool === (textOf(name) || POOL)) return { to: 'makingDomain', p };
      return { to: refused, p: { ...p, error: `there is no CPU pool ${pool}: take pool= out`, rc: RC_INVAL } };
    },
  },
  makingDomain: {
    to: ['listingDomains', refused],
    ask: ({ domain }) => [
      {
        type: 'domctl.createdomain',
        domid: 0,
        domain: 0,
        ssidref: 0,
        handle: domain.uuid,
        max_vcpus: domain.max_vcpus,
        max_evtchn_port: domain.event_channels,
        max_grant_frames: domain.max_grant_frames,
        max_maptrack_frames: domain.max_maptrack_frames,
        ...pvDomain,
        grant_opts: domain.max_grant_version,
      },
    ],
    learn: (p, [made]) => {
      const domid = answer(made, 'domctl.createdomain')?.domain;
      if (domid === undefined) return { to: refused, p: { ...p, error: `Xen makes no domain: ${made?.errno}`, rc: RC_FAIL } };
      return { to: 'listingDomains', p: { ...p, domid, domids: [] } };
    },
  },
  listingDomains: {
    to: ['listingDomains', 'startingTree'],
    ask: ({ domids }) => [{ type: 'domctl.getdomaininfo', domid: 0, domain: (domids.at(-1) ?? -1) + 1 }],
    learn: (p, [info]) => {
      const found = answer(info, 'domctl.getdomaininfo')?.domain;
      return found === undefined
        ? { to: 'startingTree', p }
        : { to: 'listingDomains', p: { ...p, domids: [...p.domids, found] } };
    },
  },

  /** libxl__domain_make: the trees of the domain in one transaction, its name among them. */
  startingTree: {
    to: ['makingTree'],
    ask: (p) => [start(p)],
    learn: (p, [tx]) => ({ to: 'makingTree', p: { ...p, tx: txOf(tx) } }),
  },
  makingTree: {
    to: ['describingDomain', 'droppingTree'],
    ask: (p) => [...treeRequests(p), ...p.domids.map((domid) => read(p, `${domainPath(domid)}/name`))],
    learn: (p, returns) => {
      const wrong = refusal(returns, 'ENOENT');
      if (wrong) return { to: 'droppingTree', p: failure(p, `XenStore takes no nodes for domain ${p.domid}: ${wrong.errno}`) };
      const names = returns.slice(-p.domids.length).map(textOf);
      const holder = p.domain.name === '' ? undefined : p.domids[names.indexOf(p.domain.name)];
      if (holder === undefined) return { to: 'describingDomain', p };
      return {
        to: 'droppingTree',
        p: failure(p, `the name ${p.domain.name} is taken by domain ${holder}: choose another, or destroy that one first`),
      };
    },
  },
  droppingTree: {
    to: [undo],
    ask: (p) => [end(p, false)],
    learn: (p) => ({ to: undo, p: { ...p, tx: 0 } }),
  },
  describingDomain: {
    to: ['startingTree', 'checkingDisks', undo],
    ask: (p) => [...descriptionRequests(p), end(p)],
    learn: (p, returns) => {
      const committed = { ...p, tx: 0 };
      const wrong = refusal(returns);
      if (!wrong) return { to: 'checkingDisks', p: committed };
      if (wrong.errno === 'EAGAIN') return { to: 'startingTree', p: committed };
      return { to: undo, p: failure(committed, `XenStore takes no nodes for domain ${p.domid}: ${wrong.errno}`) };
    },
  },

  checkingDisks: {
    to: ['loadingKernel', 'preparing', undo],
    ask: ({ domain }) => domain.disks.map(({ path }) => ({ type: 'vbd.stat_disk', domid: 0, params: path })),
    learn: (p, returns) => {
      const fault = faultOf(p.domain, returns);
      if (fault !== undefined) return { to: undo, p: failure(p, fault) };
      const { kernel, ramdisk, cmdline, bootloader } = p.domain;
      return { to: bootloader === '' ? 'preparing' : 'loadingKernel', p: { ...p, kernel, ramdisk, cmdline } };
    },
  },
  /** The boot loader takes a kernel from the first disk. */
  loadingKernel: {
    to: ['showingMenu', 'preparing', undo],
    ask: ({ job, domid, domain }) => [
      {
        type: 'bootloader.run',
        job,
        domid,
        loader: domain.bootloader,
        disk: domain.disks[0]?.path ?? '',
        entry: entryOf(domain.bootloader_args),
      },
    ],
    hear: (p, fact) => {
      if (fact.type !== 'bootloader.finished' || fact.domid !== p.domid) return undefined;
      if (fact.error !== '') return { to: undo, p: failure(p, `${p.domain.bootloader}: ${fact.error}`) };
      const { kernel, ramdisk, args } = fact;
      // pygrub puts the configuration's arguments behind those of the menu.
      const cmdline = [args, p.domain.cmdline].filter((word) => word !== '').join(' ');
      const loaded = { ...p, kernel, ramdisk, cmdline, kernels: [...p.kernels, kernel], noted: fact.menu };
      return { to: p.console && fact.menu !== '' ? 'showingMenu' : 'preparing', p: loaded };
    },
  },
  showingMenu: {
    to: ['preparing'],
    ask: ({ job, noted }) => [{ type: 'xl.print', job, stream: 'stdout', text: noted }],
    learn: (p) => ({ to: 'preparing', p }),
  },

  /** libxl__build_pre: vCPUs, where they may run, memory, event channels. */
  preparing: {
    to: ['allocatingPorts', undo],
    ask: (p) => {
      const { domid, domain } = p;
      return [
        write(p, `${libxlPath(domid)}/dm-version`, 'qemu_xen'),
        { type: 'domctl.max_vcpus', domid: 0, domain: domid, max: domain.max_vcpus },
        { type: 'domctl.max_mem', domid: 0, domain: domid, max_memkb: domain.target_memkb + MAXMEM_SLACK_KB },
        // A refusal is only warned of, as by libxl: pCPUs that are not there leave the vCPU where it may be.
        ...domain.affinity.slice(0, domain.max_vcpus).map(
          (cpus, vcpu): Command => ({
            type: 'domctl.setvcpuaffinity',
            domid: 0,
            domain: domid,
            vcpu,
            flags: XEN_VCPUAFFINITY.HARD,
            cpumap_hard: cpus,
            cpumap_soft: [],
          }),
        ),
      ];
    },
    learn: (p, returns) => {
      const wrong = refusal(returns.slice(0, 3));
      return wrong
        ? { to: undo, p: failure(p, `${wrong.what} of domain ${p.domid} fails: ${wrong.errno}`) }
        : { to: 'allocatingPorts', p };
    },
  },
  allocatingPorts: {
    to: ['populating', undo],
    ask: ({ domid }) => [
      { type: 'evtchn.alloc_unbound', domid: 0, dom: domid, remote_dom: 0 },
      { type: 'evtchn.alloc_unbound', domid: 0, dom: domid, remote_dom: 0 },
      { type: 'sysctl.physinfo', domid: 0 },
      { type: 'sysctl.sched_id', domid: 0 },
    ],
    learn: (p, [store, console, host, scheduler]) => {
      const store_port = answer(store, 'evtchn.alloc_unbound')?.port;
      const console_port = answer(console, 'evtchn.alloc_unbound')?.port;
      const free = answer(host, 'sysctl.physinfo')?.free_pages ?? 0;
      if (store_port === undefined || console_port === undefined)
        return { to: undo, p: failure(p, `domain ${p.domid} gets no event channels for XenStore and its console`) };
      // libxc claims all pages before it takes the first (xc_domain_claim_pages): so a domain that does not fit takes none.
      return free < pagesOf(p.domain)
        ? { to: undo, p: failure(p, memoryFault(p.domain, free)) }
        : {
            to: 'populating',
            p: { ...p, store_port, console_port, sched_id: answer(scheduler, 'sysctl.sched_id')?.sched_id ?? 0 },
          };
    },
  },
  /** libxl__build_pv: memory, the kernel in it, its first vCPU, and the grants of its first two rings. */
  populating: {
    to: ['loadingImage', undo],
    ask: ({ domid, domain }) => [{ type: 'memory.populate_physmap', domid: 0, dom: domid, gfn: 0, nr_pages: pagesOf(domain) }],
    learn: (p, [populated]) => {
      const nr_done = answer(populated, 'memory.populate_physmap')?.nr_done ?? 0;
      if (nr_done < pagesOf(p.domain)) return { to: undo, p: failure(p, memoryFault(p.domain, nr_done)) };
      if (!p.kernels.includes(p.kernel)) return { to: undo, p: failure(p, `dom0 has no kernel ${p.kernel}: correct kernel=`) };
      return { to: 'loadingImage', p };
    },
  },
  loadingImage: {
    to: ['granting', undo],
    ask: ({ domid, kernel, cmdline, store_port, console_port }) => [
      { type: 'xc.dom_boot_image', domid, kernel, cmdline, store_port, console_port },
    ],
    learn: (p, [image]) => {
      const rings = answer(image, 'xc.dom_boot_image');
      return rings
        ? { to: 'granting', p: { ...p, store_mfn: rings.store_mfn, console_mfn: rings.console_mfn } }
        : { to: undo, p: failure(p, `${pagesOf(p.domain) / 256} MiB are too little for ${p.kernel}: raise memory=`) };
    },
  },
  granting: {
    to: ['startingImage', undo],
    ask: ({ domid, domain, sched_id }) => [
      { type: 'domctl.setvcpucontext', domid: 0, domain: domid, vcpu: 0 },
      { type: 'gnttab.setup_table', domid: 0, dom: domid, nr_frames: 1 },
      { type: 'gnttab.seed', domid: 0, dom: domid, ref: GNTTAB_RESERVED_CONSOLE, gfn: CONSOLE_GFN, backend: 0 },
      { type: 'gnttab.seed', domid: 0, dom: domid, ref: GNTTAB_RESERVED_XENSTORE, gfn: STORE_GFN, backend: 0 },
      ...(domain.weight > 0 ? [putWeight(domid, sched_id, domain.weight)] : []),
    ],
    learn: (p, returns) => {
      const wrong = refusal(returns);
      return wrong
        ? { to: undo, p: failure(p, `${wrong.what} of domain ${p.domid} fails: ${wrong.errno}`) }
        : { to: 'startingImage', p };
    },
  },
  /** libxl__build_post. */
  startingImage: {
    to: ['describingImage'],
    ask: (p) => [start(p)],
    learn: (p, [tx]) => ({ to: 'describingImage', p: { ...p, tx: txOf(tx) } }),
  },
  describingImage: {
    to: ['startingImage', 'introducing', undo],
    ask: (p) => [...imageRequests(p), end(p)],
    learn: (p, returns) => {
      const committed = { ...p, tx: 0 };
      const wrong = refusal(returns);
      if (!wrong) return { to: 'introducing', p: committed };
      if (wrong.errno === 'EAGAIN') return { to: 'startingImage', p: committed };
      return { to: undo, p: failure(committed, `XenStore takes no nodes for domain ${p.domid}: ${wrong.errno}`) };
    },
  },
  introducing: {
    to: ['choosingDevices', undo],
    ask: (p) => [
      { type: 'xenstore.introduce', conn: p.conn, tx: 0, domid: p.domid, mfn: p.store_mfn, port: p.store_port },
      write(p, `${libxlPath(p.domid)}/dm-version`, 'qemu_xen'),
    ],
    learn: (p, returns) => {
      const wrong = refusal(returns);
      if (wrong) return { to: undo, p: failure(p, `XenStore does not take domain ${p.domid}: ${wrong.errno}`) };
      return { to: 'choosingDevices', p: { ...p, devices: [], done: 0 } };
    },
  },

  /** Disks first, then the console, then the network: those of one sort together. */
  choosingDevices: {
    to: ['startingDevice', 'watchingConsole'],
    learn: (p) => {
      const { domid, domain, devices } = p;
      const disks = disksOf(domid, domain);
      const nics = nicsOf(domid, domain);
      const console = [consoleOf(domid, { port: p.console_port, mfn: p.console_mfn })];
      const groups = [disks, console, nics].filter((group) => group.length > 0);
      const last = groups.findIndex((group) => group[0]!.kind === devices[0]?.kind);
      const next = groups[last + 1];
      return next ? { to: 'startingDevice', p: { ...p, devices: next, done: 0 } } : { to: 'watchingConsole', p };
    },
  },
  startingDevice: {
    to: ['addingDevice'],
    ask: (p) => [start(p)],
    learn: (p, [tx]) => ({ to: 'addingDevice', p: { ...p, tx: txOf(tx) } }),
  },
  addingDevice: {
    to: ['startingDevice', 'watchingBackends', 'choosingDevices', undo],
    ask: (p) => {
      const device = p.devices[p.done]!;
      const exists = device.kind === 'console' ? [] : [read(p, recordPath(device))];
      return [...exists, ...addDevice(p, device), end(p)];
    },
    learn: (p, returns) => {
      const committed = { ...p, tx: 0 };
      const wrong = refusal(returns, 'ENOENT');
      if (wrong?.errno === 'EAGAIN') return { to: 'startingDevice', p: committed };
      if (wrong) return { to: undo, p: failure(committed, `XenStore takes no device for domain ${p.domid}: ${wrong.errno}`) };
      return { to: p.devices[p.done]!.kind === 'console' ? 'choosingDevices' : 'watchingBackends', p: committed };
    },
  },
  watchingBackends: {
    to: ['startingDevice', 'waitingForBackendOf'],
    ask: (p) => [watch(p, statePath(p.devices[p.done]!))],
    learn: (p) => {
      const count = p.done + 1;
      return count < p.devices.length
        ? { to: 'startingDevice', p: { ...p, done: count } }
        : { to: 'waitingForBackendOf', p: { ...p, done: 0 } };
    },
  },
  waitingForBackendOf: {
    to: ['readingBackendOf'],
    hear: (p, fact) =>
      fact.type === 'xenstore.watch_fired' && fact.path === statePath(p.devices[p.done]!)
        ? { to: 'readingBackendOf', p }
        : undefined,
  },
  readingBackendOf: {
    to: ['waitingForBackendOf', 'plugging'],
    ask: (p) => [read(p, statePath(p.devices[p.done]!))],
    learn: (p, [state]) => ({ to: textOf(state) === XenbusState.InitWait ? 'plugging' : 'waitingForBackendOf', p }),
  },
  plugging: {
    to: ['waitingForBackendOf', 'choosingDevices', undo],
    ask: (p) => {
      const device = p.devices[p.done]!;
      const { script, dev, params } = device;
      return [
        unwatch(p, statePath(device)),
        {
          type: 'hotplug.run',
          job: p.job,
          domid: p.domid,
          script,
          action: 'add',
          backend_path: relativeBackendPath(device),
          dev,
          params,
        },
      ];
    },
    hear: (p, fact) => {
      const device = p.devices[p.done]!;
      if (fact.type !== 'hotplug.finished' || fact.backend_path !== relativeBackendPath(device)) return undefined;
      if (fact.error !== '') return { to: undo, p: failure(p, `${device.script} for ${device.dev}: ${fact.error}`) };
      const count = p.done + 1;
      return { to: count < p.devices.length ? 'waitingForBackendOf' : 'choosingDevices', p: { ...p, done: count } };
    },
  },

  /** xenconsoled has opened the console when it says which terminal it is. */
  watchingConsole: {
    to: ['waitingForConsole'],
    ask: (p) => [watch(p, ttyPath(p.domid))],
    learn: (p) => ({ to: 'waitingForConsole', p }),
  },
  waitingForConsole: {
    to: ['readingConsole'],
    hear: (p, fact) =>
      fact.type === 'xenstore.watch_fired' && fact.path === ttyPath(p.domid) ? { to: 'readingConsole', p } : undefined,
  },
  readingConsole: {
    to: ['waitingForConsole', 'finishing'],
    ask: (p) => [read(p, ttyPath(p.domid))],
    learn: (p, [tty]) => ({ to: textOf(tty) === '' ? 'waitingForConsole' : 'finishing', p }),
  },
  finishing: {
    to: [done],
    ask: (p) => [unwatch(p, ttyPath(p.domid)), ...lastRequests(p)],
    learn: (p) => ({ to: done, p }),
  },
});

const lastRequests = ({ domid, config, paused, watched }: Creating): Command[] => [
  ...(watched ? [{ type: 'xl.store_config', domid, config } as const] : []),
  ...(paused ? [] : [{ type: 'domctl.unpausedomain', domid: 0, domain: domid } as const]),
];
const statePath = (device: Device): string => `${backendPath(device)}/state`;
const ttyPath = (domid: number): string => `${domainPath(domid)}/console/tty`;
const pagesOf = ({ target_memkb }: DomainSpec): number => Math.floor(target_memkb / 4);
const failure = <P extends Creating>(p: P, error: string): P => ({ ...p, error, rc: RC_FAIL });
const memoryFault = (domain: DomainSpec, free: number): string =>
  `${domain.name} needs ${Math.floor(domain.target_memkb / 1024)} MiB and the host has ${Math.floor(free / 256)} MiB free: lower memory=, or stop a domain`;

/** What cannot be a disk: no name of one, an image that needs QEMU, a file that is not there. */
function faultOf({ disks }: DomainSpec, stats: readonly Return[]): string | undefined {
  for (const [i, { vdev, devid, path, format, backend, cdrom }] of disks.entries()) {
    if (devid === undefined) return `${vdev} names no disk: write vdev=xvda or the like`;
    if (cdrom && path === '') return `the drive ${vdev} is empty: a PV domain has no use for it; take it out`;
    if ((format !== 'raw' && format !== 'unknown') || (backend !== '' && backend !== 'phy'))
      return `the disk ${vdev} is ${backend || format}, which needs QEMU: use a raw image`;
    if (refusal([stats[i]!])) return `dom0 has no file ${path} for the disk ${vdev}: correct target=`;
  }
  return undefined;
}

/** `entry=` or `--entry=` of pygrub: the menu's line to boot. */
const entryOf = (args: readonly string[]): string => {
  const given = args.find((arg) => arg.startsWith('--entry='));
  return given === undefined ? '' : given.slice('--entry='.length);
};

function treeRequests(p: Creating): Command[] {
  const { domid, domain } = p;
  const vm = vmPath(domain.uuid);
  const readable = ['n0', `r${domid}`];
  return [
    rm(p, domainPath(domid)),
    ...node(p, domainPath(domid), readable),
    rm(p, vm),
    ...node(p, vm, readable),
    rm(p, libxlPath(domid)),
    ...node(p, libxlPath(domid), ['n0']),
    ...node(p, `${libxlPath(domid)}/device`, ['n0']),
    write(p, `${domainPath(domid)}/vm`, vm),
  ];
}

/** Nodes of the domain that it may read, and those below them that it may write. */
const readableNodes = ['cpu', 'memory', 'device'];
const writableNodes = [
  ...['control/shutdown', 'control/feature-poweroff', 'control/feature-reboot', 'control/feature-suspend', 'control/sysrq'],
  ...['data', 'drivers', 'feature', 'attr', 'error'],
];

function descriptionRequests(p: Creating): Command[] {
  const { domid, domain } = p;
  const dom = domainPath(domid);
  const vm = vmPath(domain.uuid);
  const readable = ['n0', `r${domid}`];
  const writable = [`n${domid}`];
  return [
    write(p, `${dom}/name`, domain.name),
    write(p, `${vm}/name`, domain.name),
    ...readableNodes.flatMap((name) => node(p, `${dom}/${name}`, readable)),
    ...node(p, `${dom}/device/suspend/event-channel`, writable),
    ...node(p, `${dom}/control`, readable),
    ...writableNodes.flatMap((name) => node(p, `${dom}/${name}`, writable)),
    write(p, `${vm}/uuid`, domain.uuid),
    write(p, `${vm}/name`, domain.name),
    write(p, `${dom}/control/platform-feature-multiprocessor-suspend`, '1'),
    write(p, `${dom}/control/platform-feature-xs_reset_watches`, '1'),
    write(p, `${libxlPath(domid)}/type`, 'pv'),
  ];
}

function imageRequests(p: Creating): Command[] {
  const { domid, domain, kernel, ramdisk, cmdline } = p;
  const dom = domainPath(domid);
  const vm = vmPath(domain.uuid);
  const vcpus = Array.from({ length: domain.max_vcpus }, (_, vcpu) => vcpu);
  return [
    write(p, `${dom}/memory/static-max`, String(domain.max_memkb)),
    write(p, `${dom}/memory/target`, String(domain.target_memkb)),
    write(p, `${dom}/memory/videoram`, '0'),
    write(p, `${dom}/domid`, String(domid)),
    write(p, `${dom}/store/port`, String(p.store_port)),
    write(p, `${dom}/store/ring-ref`, String(p.store_mfn)),
    ...vcpus.map((vcpu) => write(p, `${dom}/cpu/${vcpu}/availability`, domain.avail_vcpus.includes(vcpu) ? 'online' : 'offline')),
    write(p, `${vm}/image/ostype`, 'linux'),
    write(p, `${vm}/image/kernel`, kernel),
    write(p, `${vm}/start_time`, START_TIME),
    ...(ramdisk === '' ? [] : [write(p, `${vm}/image/ramdisk`, ramdisk)]),
    ...(cmdline === '' ? [] : [write(p, `${vm}/image/cmdline`, cmdline)]),
  ];
}

/** libxl_domain_sched_params_set(), of a weight. */
const putWeight = (domain: number, sched_id: number, weight: number): Command => ({
  type: 'domctl.scheduler_op',
  domid: 0,
  domain,
  sched_id,
  cmd: XEN_DOMCTL_SCHEDOP.putinfo,
  weight,
  cap: 0,
  period: 0,
  budget: 0,
  vcpus: [],
});
