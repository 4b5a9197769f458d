// The debug keys (xen/common/keyhandler.c and whoever registers one): what each prints, from the state there is.
import type { GuestReader } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseVirq } from '../evtchn/decide.ts';
import { virqRow } from '../evtchn/state.ts';
import { vcpuId } from '../sched/state.ts';
import type { Xen } from '../xen.ts';
import { dumpDomains, dumpEvtchn, dumpGrants } from './dumps.ts';
import { machineKeys } from './machine-keys.ts';
import { type Line, said } from './printk.ts';
import type { Thresholds } from './state.ts';

export interface Key {
  readonly key: string;
  /** Who asks for it: whose vCPU runs while the key is handled. */
  readonly caller: DomId;
  readonly now: Ns;
  readonly guest: GuestReader;
  /** What the keys before it have left. */
  readonly thresholds: Thresholds;
  readonly altKeys: boolean;
  readonly adjustsGuest: boolean;
}
export interface Answer {
  readonly lines: readonly Line[];
  readonly facts?: readonly Fact[];
  readonly thresholds?: Thresholds;
  readonly altKeys?: boolean;
  readonly adjustsGuest?: boolean;
}

export interface Handler {
  /** What the list of "h" says of it. */
  readonly says: string;
  /** Whether "*" presses it too. */
  readonly diagnostic: boolean;
  readonly answer: (xen: Xen, pressed: Key) => Answer;
}

/** What a key leads to; nothing where nobody has registered it. */
export function pressed(xen: Xen, key: Key): Answer {
  return Object.hasOwn(handlers, key.key) ? handlers[key.key]!.answer(xen, key) : { lines: [] };
}

const answers = (...texts: readonly string[]): Answer => ({ lines: said(...texts) });
const head = ({ key }: Key, what: string): string => `'${key}' pressed -> ${what}`;
const hex = (number: number, digits: number): string => number.toString(16).padStart(digits, '0');
/** Virtual time as Xen prints it, in nanoseconds. */
const stime = (ns: Ns): string => String(ns);

const handlers: Readonly<Record<string, Handler>> = {
  '%': { says: 'enter the debugger', diagnostic: false, answer: (_, key) => answers(head(key, 'no debugger is built in')) },
  '*': { says: 'all diagnostics', diagnostic: false, answer: allDiagnostics },
  '+': { says: 'print more', diagnostic: false, answer: (_, key) => adjusted(key, 1) },
  '-': { says: 'print less', diagnostic: false, answer: (_, key) => adjusted(key, -1) },
  '0': { says: 'vCPUs of dom0', diagnostic: true, answer: (xen, key) => answers(head(key, 'vCPUs of dom0'), ...vcpusOf(xen, 0)) },
  A: {
    says: 'switch between the ways of handling keys',
    diagnostic: false,
    answer: (_, key) => ({
      lines: said(head(key, `keys are handled in the ${key.altKeys ? 'normal' : 'alternative'} way`)),
      altKeys: !key.altKeys,
    }),
  },
  G: {
    says: 'switch between the levels that + and - adjust',
    diagnostic: false,
    answer: (_, key) => ({
      lines: said(head(key, `+ and - adjust the ${key.adjustsGuest ? 'standard' : 'guest'} log level`)),
      adjustsGuest: !key.adjustsGuest,
    }),
  },
  H: { says: 'the heap', diagnostic: true, answer: dumpHeap },
  Q: { says: 'PCI devices', diagnostic: true, answer: dumpPci },
  R: { says: 'reboot', diagnostic: false, answer: (_, key) => answers(head(key, 'this machine is not rebooted by a key')) },
  a: { says: 'timers', diagnostic: true, answer: dumpTimers },
  d: { says: 'what each pCPU runs', diagnostic: true, answer: dumpPcpus },
  e: {
    says: 'event channels',
    diagnostic: true,
    answer: (xen, key) => answers(head(key, 'event channels'), ...dumpEvtchn(xen, key.guest)),
  },
  g: {
    says: 'grant tables',
    diagnostic: true,
    answer: (xen, key) => answers(head(key, 'grant tables'), ...dumpGrants(xen)),
  },
  h: {
    says: 'this list',
    diagnostic: false,
    answer: (_, key) =>
      answers(
        head(key, 'keys that do something'),
        ...sorted().map(([name, { says }]) => ` key '${name}' (ascii '${hex(name.charCodeAt(0), 2)}') => ${says}`),
      ),
  },
  i: { says: 'interrupts of domains', diagnostic: true, answer: dumpIrqs },
  m: { says: 'memory', diagnostic: true, answer: dumpMemory },
  q: { says: 'domains and their vCPUs', diagnostic: true, answer: domains },
  r: { says: 'run queues', diagnostic: true, answer: dumpRunq },
  t: {
    says: 'clocks of the pCPUs',
    diagnostic: true,
    // All pCPUs have one clock here: there is no skew between them.
    answer: (_, key) =>
      answers(head(key, 'clocks'), 'Synced stime skew: max=0ns current=0ns', 'Synced cycles skew: max=0 current=0'),
  },
  u: { says: 'NUMA nodes', diagnostic: true, answer: dumpNuma },
  w: { says: 'this ring, on the serial line', diagnostic: true, answer: dumpRing },
  ...machineKeys,
};
const sorted = (): [string, Handler][] => Object.entries(handlers).sort(([a], [b]) => a.charCodeAt(0) - b.charCodeAt(0));

function allDiagnostics(xen: Xen, key: Key): Answer {
  const lines: Line[] = said(head(key, 'all diagnostics'));
  const facts: Fact[] = [];
  for (const [name, { says, diagnostic, answer }] of sorted()) {
    if (!diagnostic) continue;
    const did = answer(xen, { ...key, key: name });
    lines.push(...said(`[${name}: ${says}]`), ...did.lines);
    facts.push(...(did.facts ?? []));
  }
  return { lines, facts };
}

const LEVELS = ['nothing', 'errors', 'errors and warnings', 'errors, warnings and info', 'all'];

function adjusted({ key, thresholds, adjustsGuest }: Key, by: 1 | -1): Answer {
  const { lower, upper, guest_lower, guest_upper } = thresholds;
  // Upwards Xen knows no end, and neither does a number: 5 prints no more than 4.
  const always = Math.max(0, Math.min(MAX_LEVEL, (adjustsGuest ? guest_lower : lower) + by));
  const limited = Math.max(always, adjustsGuest ? guest_upper : upper);
  const name = (level: number): string => LEVELS[level] ?? '???';
  const which = adjustsGuest ? 'guest' : 'standard';
  return {
    lines: said(`'${key}' pressed -> ${which} log level: ${name(always)} (rate limited: ${name(limited)})`),
    thresholds: adjustsGuest
      ? { lower, upper, guest_lower: always, guest_upper: limited }
      : { lower: always, upper: limited, guest_lower, guest_upper },
  };
}
const MAX_LEVEL = 2 ** 30;

/** The domains' state; every vCPU is told too, so that its kernel may say something of its own. */
function domains(xen: Xen, key: Key): Answer {
  const lines = [head(key, `domains (now = ${stime(key.now)})`), ...dumpDomains(xen, key.guest)];
  const facts: Fact[] = [];
  for (const domid of xen.domids())
    for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++) {
      const port = xen.evtchn.virqs.of(domid)!.port.at(virqRow(VIRQ.DEBUG, vcpu));
      lines.push(`Notifying d${domid}v${vcpu} (virq ${VIRQ.DEBUG}, port ${port})`);
      if (xen.isAlive(domid)) facts.push(...raiseVirq(xen, domid, vcpu, VIRQ.DEBUG, key.now, key.guest));
    }
  return { lines: said(...lines), facts };
}

function* vcpusOf(xen: Xen, domid: DomId): Generator<string> {
  const vcpus = xen.sched.vcpu.of(domid);
  for (let vcpu = 0; vcpus !== undefined && vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
    yield `d${domid}v${vcpu}: ${vcpus.runstate.is(vcpu)} on CPU${vcpus.cpu.at(vcpu)} since ${stime(vcpus.entry_ns.at(vcpu))}`;
}

function dumpPcpus(xen: Xen, key: Key): Answer {
  const cpus = xen.sched.pcpu.of(0)!;
  const lines = [head(key, 'what each pCPU runs')];
  for (const [cpu] of xen.sched.pcpu.inUse(0))
    lines.push(
      cpus.state.is(cpu) === 'running'
        ? `CPU${cpu}: d${cpus.domid.at(cpu)}v${cpus.vcpu.at(cpu)}, its past reaches to ${stime(cpus.local_ns.at(cpu))}`
        : `CPU${cpu}: ${cpus.state.is(cpu)}`,
    );
  return answers(...lines);
}

function dumpRunq(xen: Xen, key: Key): Answer {
  const lines = [head(key, `run queues (now = ${stime(key.now)})`)];
  const cpus = xen.sched.pcpu.of(0)!;
  for (const [cpu] of xen.sched.pcpu.inUse(0)) {
    const running = cpus.state.is(cpu) === 'running';
    lines.push(`CPU[${String(cpu).padStart(2, '0')}] run: ${running ? `d${cpus.domid.at(cpu)}v${cpus.vcpu.at(cpu)}` : 'idle'}`);
  }
  const waiting: [number, string][] = [];
  for (const domid of xen.domids()) {
    const vcpus = xen.sched.vcpu.of(domid)!;
    for (const [vcpu, { runstate }] of xen.sched.vcpu.inUse(domid))
      if (runstate === 'runnable')
        waiting.push([vcpuId(domid, vcpu), `  d${domid}v${vcpu} runnable since ${stime(vcpus.entry_ns.at(vcpu))}`]);
  }
  waiting.sort(([a], [b]) => a - b);
  return answers(...lines, `Runnable: ${waiting.length}`, ...waiting.map(([, text]) => text));
}

function dumpTimers(xen: Xen, key: Key): Answer {
  const lines = [head(key, `timers (now = ${stime(key.now)})`)];
  for (const domid of xen.timers.rows.ids())
    for (const [row, { deadline_ns }] of xen.timers.rows.inUse(domid))
      lines.push(`  d${domid} timer ${row} due at ${stime(deadline_ns)}`);
  return answers(...lines);
}

function dumpIrqs(xen: Xen, key: Key): Answer {
  const lines = [head(key, 'interrupts of domains')];
  for (const domid of xen.evtchn.pirqs.ids())
    for (const [pirq, { port }] of xen.evtchn.pirqs.inUse(domid))
      lines.push(`  d${domid} pirq ${pirq}: ${port === 0 ? 'not bound' : `port ${port}`}`);
  return answers(...lines);
}

const kib = (pages: number): number => pages * 4;
function dumpMemory(xen: Xen, key: Key): Answer {
  return answers(head(key, 'memory'), `    Dom heap: ${kib(xen.p2m.freePages)}kB free`);
}
function dumpHeap(xen: Xen, key: Key): Answer {
  const ranges = xen.p2m.free;
  const most = ranges.slice(0, MAX_RANGES).map(({ mfn, count }) => `  ${hex(mfn, 8)}: ${count} pages`);
  const rest = ranges.length - most.length;
  return answers(
    head(key, `heap (now = ${stime(key.now)})`),
    `heap[node=0]: ${xen.p2m.freePages} pages in ${ranges.length} ranges`,
    ...most,
    ...(rest > 0 ? [`  and ${rest} more`] : []),
  );
}
const MAX_RANGES = 64;

function dumpNuma(xen: Xen, key: Key): Answer {
  const lines = [head(key, 'NUMA nodes'), `NODE0 start->0 size->${xen.p2m.totalPages} free->${xen.p2m.freePages}`];
  for (const domid of xen.domids())
    lines.push(`Domain ${domid} (total: ${xen.domain.of(0)!.tot_pages.at(domid)}):`, '    Node 0: all');
  return answers(...lines);
}

function dumpPci(xen: Xen, key: Key): Answer {
  const lines = [head(key, 'PCI devices'), '==== segment 0000 ===='];
  for (const { sbdf, domid } of xen.physdev.devices()) lines.push(`${sbdf} - d${domid} - node -1`);
  return answers(...lines);
}

/** On the serial line the ring's content stands once more; into the ring comes only that it does. */
function dumpRing(xen: Xen, key: Key): Answer {
  const row = xen.console.row.of(0)!;
  const content = xen.console.read(row.conringc.at(0), (row.conringp.at(0) - row.conringc.at(0)) >>> 0);
  return {
    lines: said(head(key, 'the ring, on the serial line')),
    facts: [{ type: 'console_io.written', domid: key.caller, text: content }],
  };
}
