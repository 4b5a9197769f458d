// Debug keys about the machine and what Xen does for HVM domains: power states, counters, NMIs, interrupts, patches. Those that a release of
// Xen without shadow paging on AMD's processors does not have (D, O, S, and the counters' p, P, l, L, T) are nobody's here either.
import type { Fact } from '../../../events/vocabulary.ts';
import { sendNmi } from '../vcpu/decide.ts';
import type { Xen } from '../xen.ts';
import type { Answer, Handler, Key } from './keys.ts';
import { said } from './printk.ts';

const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0');
const dump =
  (what: string, lines: (xen: Xen, key: Key) => Iterable<string>) =>
  (xen: Xen, key: Key): Answer => ({ lines: said(`'${key.key}' pressed -> ${what}`, ...lines(xen, key)) });
function* onlineCpus({ sched }: Xen): Generator<number> {
  const { state } = sched.pcpu.of(0)!;
  for (let cpu = 0; cpu < sched.nrCpus; cpu++) if (state.is(cpu) !== 'offline') yield cpu;
}
function* hvmDomains(xen: Xen): Generator<number> {
  for (const domid of xen.domids()) if (xen.domain.of(0)!.hvm.at(domid) === 1) yield domid;
}

export const machineKeys: Readonly<Record<string, Handler>> = {
  C: {
    says: 'crash, and boot a kernel that saves what there is',
    diagnostic: false,
    answer: dump('a crash is wanted', () => ['no kernel was loaded for it: Xen goes on']),
  },
  I: { says: 'interrupt lines of HVM domains', diagnostic: true, answer: dump('interrupt lines of HVM domains', hvmLines) },
  M: { says: 'message-signalled interrupts', diagnostic: true, answer: dump('message-signalled interrupts', msi) },
  N: { says: 'an NMI', diagnostic: false, answer: nmi },
  c: { says: 'C-states', diagnostic: true, answer: dump('C-states', cStates) },
  n: { says: 'NMIs so far', diagnostic: true, answer: dump('NMIs so far', nmiStates) },
  o: { says: 'page tables of the IOMMU', diagnostic: false, answer: dump('page tables of the IOMMU', iommuTables) },
  s: { says: 'time stamp counters of domains', diagnostic: true, answer: dump('time stamp counters of domains', counters) },
  v: { says: 'control blocks of HVM vCPUs', diagnostic: true, answer: dump('control blocks of HVM vCPUs', controlBlocks) },
  x: { says: 'live patches', diagnostic: true, answer: dump('live patches', () => ['none is loaded']) },
  z: { says: 'the IO-APIC', diagnostic: true, answer: dump('the IO-APIC', ioapic) },
};

function* cStates(xen: Xen): Generator<string> {
  const max = xen.platform.pm.of(0)!.max_cstate.at(0);
  yield max === 0 ? 'no limit is set' : `no deeper than C${max - 1}`;
  for (const cpu of onlineCpus(xen)) {
    // Without what dom0 has to tell, a processor runs or halts.
    const told = xen.platform.pminfo.get(cpu)?.cx ?? [];
    yield `CPU${cpu}: ${['C0', ...(told.length > 0 ? told.map((type) => `C${type}`) : ['C1'])].join(' ')}`;
  }
}

function* counters(xen: Xen): Generator<string> {
  const row = xen.domain.of(0)!;
  yield `the host's runs at ${xen.clock.tscKhz} kHz on every CPU`;
  for (const domid of xen.domids()) {
    const mode = row.tsc_mode.is(domid);
    if (domid === 0 && mode === 'default') continue;
    const incarnation = (row.tsc_incarnation_plus_1.at(domid) || 2) - 1;
    const own = row.vtsc.at(domid) === 1 ? `, answered by Xen, offset ${row.tsc_offset_ns.at(domid)} ns` : '';
    const khz = row.tsc_khz.at(domid) === 0 ? '' : `, ${row.tsc_khz.at(domid)} kHz`;
    yield `d${domid}: ${mode}${khz}${own}, incarnation ${incarnation}`;
  }
}

/** do_nmi_trigger(): one that nobody knows the reason of, which is dom0's to see (nmi_hwdom_report()). */
function nmi(xen: Xen, { key, now }: Key): Answer {
  const facts: Fact[] = xen.isAlive(0) && xen.hasVcpu(0, 0) ? sendNmi(xen, 0, 0, now) : [];
  return { lines: said(`'${key}' pressed -> an NMI`, 'CPU0 takes it, and tells dom0'), facts };
}
function* nmiStates(xen: Xen): Generator<string> {
  // The machine sends none by itself: there is no watchdog.
  for (const cpu of onlineCpus(xen)) yield `CPU${cpu}: 0 by the watchdog`;
  if (!xen.hasVcpu(0, 0)) return;
  yield `d0v0: ${xen.sched.vcpu.of(0)!.nmi_pending.at(0) === 1 ? 'one is pending' : 'none is pending'}`;
}

function* ioapic(xen: Xen): Generator<string> {
  for (const { pin, entry, isMasked, setUp } of xen.physdev.pins()) {
    const rest = [isMasked ? 'masked' : '', setUp].filter((text) => text !== '').map((text) => `, ${text}`);
    yield `pin ${String(pin).padStart(2)}: vector ${hex(entry & 0xff, 2)}${rest.join('')}`;
  }
}

function* msi(xen: Xen): Generator<string> {
  const all = [...xen.physdev.prepared()];
  if (all.length === 0) yield 'no device has any';
  for (const { sbdf, domid } of all) yield `${sbdf}: MSI-X table set aside, d${domid}`;
}

function* hvmLines(xen: Xen): Generator<string> {
  const list = (numbers: readonly number[]): string => (numbers.length === 0 ? 'none' : numbers.join(' '));
  for (const domid of hvmDomains(xen)) {
    const { isa, pci, links } = xen.hvm.linesOf(domid);
    yield `d${domid}: ISA ${list(isa)}; PCI ${list(pci)}; links to ${links.join(' ')}`;
  }
}

function* controlBlocks(xen: Xen): Generator<string> {
  for (const domid of hvmDomains(xen)) {
    const rows = xen.sched.vcpu.of(domid)!;
    for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) {
      const injected = (xen.control.vcpus.of(domid)?.injected_plus_1.at(vcpu) ?? 0) - 1;
      const event = injected < 0 ? '' : `, event ${hex(injected, 2)} injected`;
      yield `d${domid}v${vcpu}: ${rows.initialised.at(vcpu) === 1 ? 'has begun' : 'has not begun'}${event}`;
    }
  }
}

function* iommuTables(xen: Xen): Generator<string> {
  if (!xen.iommu) {
    yield 'there is no IOMMU';
    return;
  }
  for (const domid of xen.domids()) {
    const devices = [...xen.physdev.of(domid)].length;
    if (domid !== 0 && devices > 0) yield `d${domid}: ${devices} devices see its ${xen.domain.of(0)!.tot_pages.at(domid)} pages`;
  }
}
