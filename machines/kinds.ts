// Every kind of actor and its machine.
import type { AnyStateMachine } from 'xstate';
import { blkback } from './blkback.ts';
import { blkfront } from './blkfront.ts';
import { consoleDaemon } from './dom0/console-daemon.ts';
import { dom0Kernel } from './dom0/kernel.ts';
import { xenconsoled } from './dom0/xenconsoled.ts';
import { domain } from './domain.ts';
import { guestKernel } from './guest/kernel.ts';
import { tty } from './guest/tty.ts';
import { workload } from './guest/workload.ts';
import { netback } from './netback.ts';
import { netfront } from './netfront.ts';
import { pcpu } from './pcpu.ts';
import { remembering } from './remembering.ts';
import { hostBoot } from './toolstack/host-boot.ts';
import { hotplug } from './toolstack/hotplug.ts';
import { xl } from './toolstack/xl.ts';
import { xlDaemon } from './toolstack/xl-daemon.ts';
import { vcpu } from './vcpu.ts';
import { watch } from './watch.ts';

const names = [
  'domain',
  'vcpu',
  'pcpu',
  'watch',
  'guestKernel',
  'tty',
  'workload',
  'blkfront',
  'netfront',
  'dom0Kernel',
  'xenconsoled',
  'consoleDaemon',
  'blkback',
  'netback',
  'hostBoot',
  'hotplug',
  'xl',
  'xlDaemon',
] as const;
export type Kind = (typeof names)[number];

/** Those that repeat what the tables say: they ask for nothing, and executors act under their names (`d3v0`). */
const mirrors: readonly Kind[] = ['domain', 'vcpu', 'pcpu', 'watch'];
export const isMirror = (kind: Kind): boolean => mirrors.includes(kind);

export const kinds: Readonly<Record<Kind, AnyStateMachine>> = {
  // Mirrors: what the tables say, as charts.
  domain: remembering(domain, { 'domain.shut_down': 'reason' }),
  vcpu: remembering(vcpu, { 'vcpu.scheduled': 'cpu' }),
  pcpu: remembering(pcpu),
  watch: remembering(watch),
  // Parties: they act.
  guestKernel,
  tty,
  workload,
  blkfront,
  netfront,
  dom0Kernel,
  xenconsoled,
  consoleDaemon,
  blkback,
  netback,
  hostBoot,
  hotplug,
  xl,
  xlDaemon,
};
