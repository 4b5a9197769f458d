// What the kernel of an actor guest and its init print, in our own words and in the form that one knows from a serial console.

/** A line with the kernel's time stamp; `us` is microseconds since the kernel's start. */
export const stamped = (us: number, text: string): string => {
  const seconds = String(Math.floor(us / 1_000_000)).padStart(5);
  return `[${seconds}.${String(us % 1_000_000).padStart(6, '0')}] ${text}\n`;
};

export interface Machine {
  readonly kernel: string;
  readonly cmdline: string;
  readonly nr_vcpus: number;
  readonly nr_pages: number;
}

export const RELEASE = '2.6.26-1-xen-686';

export const banner = ({ cmdline, nr_pages }: Machine): string =>
  [
    stamped(0, `Linux version ${RELEASE} (actor guest) SMP`),
    stamped(0, `Xen virtual machine memory map: ${nr_pages} pages, ${Math.floor(nr_pages / 256)} MB usable`),
    stamped(0, `Kernel command line: ${cmdline}`),
    stamped(0, 'Booting paravirtualized kernel on Xen, features: writable page tables, x86_64 rings'),
    stamped(1200, 'Console: hvc0 enabled, the Xen virtual console'),
  ].join('');

export const cpusUp = ({ nr_vcpus, nr_pages }: Machine): string =>
  [
    stamped(31_000, `Brought up ${nr_vcpus} CPU${nr_vcpus === 1 ? '' : 's'}`),
    stamped(40_000, `Memory: ${nr_pages * 4 - 9216}k/${nr_pages * 4}k available`),
    stamped(43_000, 'Event channels: two-level ABI, VIRQ_TIMER bound; clocksource: xen'),
    stamped(52_000, 'Grant table initialised, version 1'),
  ].join('');

export const xenbusFound = (devices: readonly string[]): string =>
  stamped(410_000, `xenbus: connected to XenStore; devices: ${devices.length === 0 ? 'none' : devices.join(', ')}`);

/** Devices come up one after the other, in any order: `nth` counts them. */
export const diskFound = (nth: number, name: string, sectors: number): string =>
  stamped(
    520_000 + nth * 21_000,
    `blkfront: ${name}: ${sectors} sectors of 512 bytes (${Math.floor(sectors / 2048)} MB), persistent grants; partitions follow`,
  );
export const vifFound = (nth: number, devid: number, mac: string): string =>
  stamped(520_000 + nth * 21_000, `netfront: eth${devid}: ${mac}, one queue`);

export const rootMounted = (device: string, label: string): string =>
  stamped(690_000, `VFS: mounted root (ext2 filesystem${label === '' ? '' : `, label ${label}`}) read-only on ${device}`);
export const panic = (device: string, reason: string): string =>
  stamped(690_000, `Kernel panic - not syncing: VFS: cannot mount root on ${device}: ${reason}`);

export const initStarts = (hostname: string): string =>
  [
    'INIT: version 2.86 booting\n',
    'Mounting aufs over the read-only root: writes go to memory.\n',
    `Setting hostname to '${hostname}'.\n`,
    'Starting system log daemon: syslogd.\n',
  ].join('');
export const leaseBound = (ip: string, router: string): string =>
  `Configuring network interfaces: eth0 bound to ${ip}, router ${router}.\n`;
export const leaseFailed = (why: string): string => `Configuring network interfaces: eth0 has no address (${why}).\n`;
export const multiUser = (): string => 'INIT: Entering runlevel: 2\nStarting periodic command scheduler: crond.\n';

export const goingDown = (how: 'poweroff' | 'reboot' | 'halt'): string =>
  `\nThe system is going down for ${how === 'reboot' ? 'reboot' : 'system halt'} NOW!\nINIT: Switching to runlevel: ${how === 'reboot' ? 6 : 0}\nStopping periodic command scheduler: crond.\nDeactivating swap, unmounting local filesystems.\n`;
export const stopped = (how: 'poweroff' | 'reboot' | 'halt'): string =>
  how === 'reboot' ? 'Restarting system.\n' : 'Power down.\n';
