// The subcommands of xl: their options, and what their help says (docs/man/xl.1.pod.in; tools/xl/xl_cmdtable.c, Xen 4.17).

export interface Syntax {
  readonly name: string;
  /** What stands behind the name in the usage line. */
  readonly usage: string;
  readonly summary: string;
  readonly options: readonly OptionSyntax[];
  /** Fewer words than that are a mistake. */
  readonly least: number;
  /** What it would do can be looked at with `xl -N`. */
  readonly dryRun?: true;
}
export interface OptionSyntax {
  readonly short: string;
  readonly long?: string;
  /** The name of the value that follows. */
  readonly value?: string;
  readonly summary: string;
}

const domain = { usage: '<Domain>', least: 1 } as const;

/** Those that this host carries out. */
export const commands: readonly Syntax[] = [
  {
    name: 'create',
    usage: '[options] <ConfigFile> [key=value ...]',
    summary: 'Makes a domain from a configuration file and starts it.',
    least: 0,
    dryRun: true,
    options: [
      { short: 'p', summary: 'leave it paused' },
      { short: 'c', summary: 'connect to its console' },
      { short: 'f', long: 'defconfig', value: 'FILE', summary: 'the configuration file' },
      { short: 'q', long: 'quiet', summary: 'do not say which file is read' },
      { short: 'n', long: 'dryrun', summary: 'print the configuration that was read, and make nothing' },
      { short: 'd', summary: 'print the configuration that was read as well' },
      { short: 'e', summary: 'do not wait for its end: nobody cleans up, or starts it again' },
      { short: 'F', summary: 'stay in the foreground: the job ends at once here, and a daemon waits' },
      { short: 'V', long: 'vncviewer', summary: 'open a VNC viewer: PV domains have no screen here' },
      { short: 'A', long: 'vncviewer-autopass', summary: 'give the viewer its password' },
    ],
  },
  {
    name: 'list',
    usage: '[options] [Domain]',
    summary: 'Lists one domain, or all.',
    least: 0,
    options: [
      { short: 'v', long: 'verbose', summary: 'UUIDs, reasons of shutdown and security labels too' },
      { short: 'Z', long: 'context', summary: 'security labels too' },
      { short: 'c', long: 'cpupool', summary: 'CPU pools too' },
      { short: 'n', long: 'numa', summary: 'affinity to NUMA nodes too' },
    ],
  },
  {
    ...domain,
    name: 'destroy',
    usage: '[options] <Domain>',
    summary: 'Ends a domain at once.',
    options: [{ short: 'f', summary: 'domain 0 too: Xen refuses that of its own control domain' }],
  },
  ...(['shutdown', 'reboot'] as const).map((name) => ({
    name,
    usage: '[options] <-a|Domain>',
    summary: name === 'shutdown' ? 'Asks a domain to shut down.' : 'Asks a domain to shut down and start again.',
    least: 0,
    options: [
      { short: 'a', long: 'all', summary: 'all domains but domain 0' },
      { short: 'w', long: 'wait', summary: 'wait until it has' },
      { short: 'F', summary: 'use an ACPI button where the guest listens to nothing else' },
    ],
  })),
  { ...domain, name: 'pause', summary: 'Keeps a domain from running.', options: [] },
  { ...domain, name: 'unpause', summary: 'Lets a paused domain run again.', options: [] },
  {
    ...domain,
    name: 'console',
    usage: '[options] <Domain>',
    summary: "Connects to a domain's console.",
    options: [
      { short: 't', value: 'TYPE', summary: 'the type of the console: pv, serial or vuart' },
      { short: 'n', value: 'NUMBER', summary: 'the number of the console' },
    ],
  },
  { name: 'vcpu-list', usage: '[Domain ...]', summary: 'Lists the vCPUs of some domains, or of all.', least: 0, options: [] },
  {
    name: 'info',
    usage: '[options]',
    summary: 'Says what the host is.',
    least: 0,
    options: [{ short: 'n', long: 'numa', summary: 'NUMA nodes too' }],
  },
  { name: 'domid', usage: '<DomainName>', summary: 'The id of a domain with a name.', least: 1, options: [] },
  { name: 'domname', usage: '<DomainId>', summary: 'The name of a domain with an id.', least: 1, options: [] },
  {
    name: 'dmesg',
    usage: '[-c]',
    summary: 'What Xen has printed.',
    least: 0,
    options: [{ short: 'c', long: 'clear', summary: 'and forget it' }],
  },
  { name: 'debug-keys', usage: '<Keys>', summary: 'Presses keys on the console of Xen; h lists them.', least: 1, options: [] },
  { name: 'rename', usage: '<Domain> <NewDomainName>', summary: 'Gives a domain another name.', least: 2, options: [] },
];

/** Those of xl 4.17 that this host does not carry out. An abbreviation may mean one of them too. */
export const otherCommands: readonly string[] = [
  ...['config-update', 'pci-attach', 'pci-detach', 'pci-list', 'pci-assignable-add', 'pci-assignable-remove'],
  ...['pci-assignable-list', 'vncviewer', 'save', 'migrate', 'restore', 'migrate-receive', 'dump-core', 'cd-insert'],
  ...['cd-eject', 'mem-max', 'mem-set', 'button-press', 'vcpu-pin', 'vcpu-set', 'vm-list', 'sharing', 'sched-credit'],
  ...['sched-credit2', 'sched-rtds', 'trigger', 'sysrq', 'set-parameters', 'top'],
  ...['network-attach', 'network-list', 'network-detach', 'channel-list', 'block-attach', 'block-list', 'block-detach'],
  ...['vtpm-attach', 'vtpm-list', 'vtpm-detach', 'vkb-attach', 'vkb-list', 'vkb-detach', 'vdispl-attach', 'vdispl-list'],
  ...['vdispl-detach', 'vsnd-attach', 'vsnd-list', 'vsnd-detach', 'uptime', 'claims', 'cpupool-create', 'cpupool-list'],
  ...['cpupool-destroy', 'cpupool-rename', 'cpupool-cpu-add', 'cpupool-cpu-remove', 'cpupool-migrate'],
  ...['cpupool-numa-split', 'getenforce', 'setenforce', 'loadpolicy', 'remus', 'devd', 'psr-hwinfo', 'psr-cmt-attach'],
  ...['psr-cmt-detach', 'psr-cmt-show', 'psr-cat-set', 'psr-cat-show', 'psr-mba-set', 'psr-mba-show', 'usbctrl-attach'],
  ...['usbctrl-detach', 'usbdev-attach', 'usbdev-detach', 'usb-list', 'qemu-monitor-command'],
];

/** `xl help`, and what `xl` alone says. */
export function helpText(): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const lines = commands.map(({ name, summary }) => ` ${name.padEnd(width)}${summary}\n`);
  return `Usage: xl [-vtTfN] <command> [words]\n\n${lines.join('')}\n"xl help COMMAND" says more about one of them.\n`;
}

export function usageText({ name, usage, summary, options }: Syntax): string {
  const flags = options.map(({ short, long, value }) => {
    const words = long === undefined ? `-${short}` : `-${short}, --${long}`;
    return value === undefined ? words : `${words} ${value}`;
  });
  const width = Math.max(0, ...flags.map((flag) => flag.length)) + 2;
  const lines = options.map(({ summary: says }, i) => `${flags[i]!.padEnd(width)}${says}\n`);
  const list = lines.length > 0 ? `\nOptions:\n\n${lines.join('')}` : '';
  return `Usage: xl [-vtTfN] ${name}${usage === '' ? '' : ` ${usage}`}\n\n${summary}\n${list}`;
}
