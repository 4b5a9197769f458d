// How the host comes up: Xen makes dom0 (xen/arch/x86/setup.c, dom0_build.c), and dom0's first programs fill XenStore.

import { DOMID_XEN, kibToPages } from '../../../events/units.ts';
import type { Command } from '../../../events/vocabulary.ts';
import { pvDomain } from '../../abi/domctl.ts';
import { VIRQ } from '../../abi/virq.ts';
import type { HostConfig } from '../../host-config.ts';
import { textToIp } from '../../net/address.ts';
import { NIL_UUID } from '../cfg/uuid.ts';
import { answer, END, type Plan } from './plan.ts';
import { connect, disconnect, domainPath, mkdir, type Session, write } from './store.ts';

/** What of the host's configuration its boot needs. */
export interface Booting extends Session {
  readonly memory_kb: number;
  readonly vcpus: number;
  readonly bridges: HostConfig['bridges'];
  readonly virq_port: number;
}
export const booting = (session: Session): Booting => ({ ...session, memory_kb: 0, vcpus: 0, bridges: [], virq_port: 0 });

const KERNEL = '/boot/vmlinuz';
const CMDLINE = 'console=hvc0';
/** A bridge's own address: libxl's vif scripts give it this one, numbered down from it where there are several. */
const BRIDGE_MAC = 0xfeff_ffff_ffff;

export const bootPlan: Plan<Booting> = {
  readingConfiguration: {
    to: ['makingDom0', END],
    ask: () => [{ type: 'host.configuration' }],
    learn: (p, [given]) => {
      const config = configOf(answer(given, 'host.configuration')?.json);
      if (!config) return { to: END, p };
      const { dom0, bridges } = config;
      return { to: 'makingDom0', p: { ...p, memory_kb: dom0.memory_mib * 1024, vcpus: dom0.vcpus, bridges } };
    },
  },
  makingDom0: {
    to: ['startingDom0'],
    ask: ({ memory_kb, vcpus }) => [
      {
        type: 'domctl.createdomain',
        domid: DOMID_XEN,
        domain: 0,
        ssidref: 0,
        handle: NIL_UUID,
        max_vcpus: vcpus,
        max_evtchn_port: -1,
        max_grant_frames: -1,
        max_maptrack_frames: -1,
        ...pvDomain,
        // What Xen makes itself may use all that Xen has.
        grant_opts: 2,
      },
      { type: 'domctl.max_vcpus', domid: DOMID_XEN, domain: 0, max: vcpus },
      { type: 'domctl.max_mem', domid: DOMID_XEN, domain: 0, max_memkb: memory_kb },
      { type: 'memory.populate_physmap', domid: DOMID_XEN, dom: 0, gfn: 0, nr_pages: kibToPages(memory_kb) },
      { type: 'gnttab.setup_table', domid: 0, dom: 0, nr_frames: 1 },
      { type: 'xc.dom_boot_image', domid: 0, kernel: KERNEL, cmdline: CMDLINE, store_port: 0, console_port: 0 },
    ],
    learn: (p) => ({ to: 'startingDom0', p }),
  },
  /** dom0's services act at once: its vCPUs wait for no pCPU. */
  startingDom0: {
    to: ['connecting'],
    ask: ({ vcpus }) => [
      ...each(vcpus, (vcpu): Command => ({ type: 'domctl.setvcpucontext', domid: DOMID_XEN, domain: 0, vcpu })),
      { type: 'domctl.unpausedomain', domid: DOMID_XEN, domain: 0 },
      ...each(vcpus, (vcpu): Command => ({ type: 'sched.detach', domid: 0, vcpu })),
    ],
    learn: (p) => ({ to: 'connecting', p }),
  },
  connecting: {
    to: ['fillingStore'],
    ask: ({ bridges }) => [
      connect,
      ...bridges.map(
        ({ name, ip, netmask }, i): Command => ({
          type: 'bridge.create',
          bridge: name,
          mac: BRIDGE_MAC - i,
          ip: textToIp(ip) ?? 0,
          netmask: textToIp(netmask) ?? 0,
        }),
      ),
    ],
    learn: (p, [connected]) => ({ to: 'fillingStore', p: { ...p, conn: answer(connected, 'xenstore.connect')?.conn ?? 0 } }),
  },
  /** What xenstored, dom0's kernel and xen-init-dom0 write. */
  fillingStore: {
    to: ['bindingVirq'],
    ask: (p) => {
      const dom0 = domainPath(0);
      return [
        mkdir(p, '/tool/xenstored'),
        write(p, `${dom0}/control/feature-poweroff`, '1'),
        write(p, `${dom0}/control/feature-reboot`, '1'),
        write(p, `${dom0}/control/feature-suspend`, '1'),
        write(p, `${dom0}/domid`, '0'),
        write(p, `${dom0}/name`, 'Domain-0'),
        write(p, `${dom0}/memory/target`, String(p.memory_kb)),
        write(p, `${dom0}/memory/static-max`, String(p.memory_kb)),
        write(p, '/local/pool/0/name', 'Pool-0'),
        disconnect(p),
        { type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.DOM_EXC, vcpu: 0 },
      ];
    },
    learn: (p, returns) => ({
      to: 'bindingVirq',
      p: { ...p, conn: 0, virq_port: answer(returns.at(-1), 'evtchn.bind_virq')?.port ?? 0 },
    }),
  },
  /** From here on xenstored learns of domains that end, and dom0 is up. */
  bindingVirq: {
    to: [END],
    ask: ({ virq_port }) => [
      { type: 'guest.bind_irq', domid: 0, port: virq_port, handler: 'domain', dev: 0, peer: 0 },
      { type: 'guest.start', domid: 0 },
    ],
    learn: (p) => ({ to: END, p }),
  },
};

const each = (count: number, command: (i: number) => Command): Command[] => Array.from({ length: count }, (_, i) => command(i));

/** The host's own answer, so nothing in it is checked but that there is one. */
const configOf = (json: string | undefined): HostConfig | undefined =>
  json === undefined ? undefined : (JSON.parse(json) as HostConfig);
