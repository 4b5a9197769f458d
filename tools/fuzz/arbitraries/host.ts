// A whole host without actors, and all that can be done to it: rightly by acts that know what there is, wrongly by the vocabulary's own.
import * as fc from 'fast-check';
import { eventsOf } from '../../../events/step.ts';
import { DOMID_XEN, type DomId } from '../../../events/units.ts';
import { type Command, type Outcome, operations, type Step } from '../../../events/vocabulary.ts';
import { CONSOLE_GFN } from '../../../src/guest/state.ts';
import { decide, evolve, Host, writeGuest } from '../../../src/host.ts';
import { defaultHost, type HostConfig } from '../../../src/host-config.ts';
import { hostViolations } from '../../../src/invariants.ts';
import { Memory } from '../../../src/memory/memory.ts';
import { RecordingReader } from '../../../src/memory/reader.ts';
import { makeEthernet } from '../../../src/net/ethernet.ts';
import { Violation } from '../core-host.ts';
import { pick } from './act.ts';
import { build } from './domain.ts';
import { anyCommand } from './vocabulary.ts';

/** 64 MiB, and a disk of 1 MiB. */
export const plainConfig: HostConfig = {
  ...defaultHost,
  memory_mib: 64,
  files: [{ path: '/disk', kind: 'disk', image: 0, sectors: 2048, readonly: false }],
};

/** Each command is one step, and nobody acts upon it. */
export class PlainHost {
  readonly host = new Host({ config: plainConfig, seed: 1 });
  readonly memory = new Memory(this.host.journal);
  readonly steps: Step[] = [];
  private readonly reader = new RecordingReader(this.memory);

  /** One step at the next microsecond; then all invariants are asked. Throws a `Violation`. */
  submit = (command: Command): Outcome => {
    const { host, memory, steps } = this;
    const seq = steps.length;
    const time = seq * 1000;
    const outcome = decide(host, command, time, this.reader);
    steps.push({ seq, time, origin: 'fuzz', cause: null, command, reads: this.reader.take(), outcome });
    for (const event of eventsOf(outcome)) {
      writeGuest(host, memory, event);
      evolve(host, event, seq);
    }
    for (const line of hostViolations(host)) throw new Violation(`${line}, after ${JSON.stringify(command).slice(0, 400)}`);
    return outcome;
  };

  /** What must work for a test to make sense. */
  prepare(...commands: readonly Command[]): this {
    for (const command of commands) {
      const outcome = this.submit(command);
      if (!outcome.ok) throw new Error(`${outcome.errno} of ${JSON.stringify(command)}`);
    }
    return this;
  }

  /** An outcome in short: the answer and the facts' names, or the error. */
  shown(command: Command): string {
    const outcome = this.submit(command);
    return outcome.ok ? [JSON.stringify(outcome.value), ...outcome.events.map(({ type }) => type)].join(' ') : outcome.errno;
  }
}

/** dom0 and domains 1 and 2, see `hostBoot`. */
export const bootedPlainHost = (): PlainHost => new PlainHost().prepare(...hostBoot);

/** One thing to do: the name of an act with numbers to choose by, or a command as it is. Plain data, so that it prints and shrinks. */
export type HostAct = { readonly act: keyof typeof acts; readonly a: number; readonly b: number; readonly c: number } | Command;
export type Submit = (command: Command) => Outcome;

/** Any command of the vocabulary with any arguments. */
export const anyHostCommand: fc.Arbitrary<Command> = anyCommand<Command>(operations);

/** Commands that make dom0 and two PV domains, all running and with room for an actor guest. */
export const hostBoot: readonly Command[] = [
  { type: 'host.boot' },
  ...build(0, { vcpus: 1, pages: 64, hvm: false, caller: DOMID_XEN }),
  ...build(1, { vcpus: 1, pages: 64, hvm: false }),
  ...build(2, { vcpus: 2, pages: 64, hvm: false }),
  { type: 'bridge.create', bridge: 'xenbr0', mac: 0xfeff_ffff_ffff, ip: 0x0a00_0001, netmask: 0xffff_ff00 },
];

/** Does it. Objects are picked by number among what there is then, so that an act keeps its meaning while others shrink away. */
export function perform(doing: HostAct, host: Host, submit: Submit): void {
  if ('type' in doing) submit(doing);
  else acts[doing.act](host, submit, doing);
}

interface Numbers {
  readonly a: number;
  readonly b: number;
  readonly c: number;
}
type Run = (host: Host, submit: Submit, numbers: Numbers) => void;

const texts = ['', 'ls\n', '\0\xff', 'x'.repeat(3000), 'y'.repeat(70000)];
const vdevs = [51712, 51728, 768, 2 ** 28 + 256];

/** The kernel of a guest and what its own drivers do. */
const guestActs = {
  boot: (host, submit, { a, b }) => {
    const domid = guestOf(host, a);
    const store = channel(host, submit, domid);
    const console = b % 3 === 0 ? { port: 0 } : channel(host, submit, domid);
    submit({
      type: 'xc.dom_boot_image',
      domid,
      kernel: '/boot/k',
      cmdline: 'root=/dev/xvda1',
      store_port: store.port,
      console_port: console.port,
    });
    if (b % 2 === 0) submit({ type: 'guest.start', domid });
  },
  bindIrq: (host, submit, { a, b, c }) => {
    const domid = someone(host, a);
    const port = b % 5 === 0 ? b : channel(host, submit, domid).port;
    const handler = pick(['timer', 'store', 'console', 'vbd', 'vif', 'domain', 'none'] as const, c)!;
    submit({ type: 'guest.bind_irq', domid, port, handler, dev: pick(vdevs, c)!, peer: b % 3 });
  },
  unbindIrq: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const bound = host.guests.irq.of(domid) ? [...host.guests.irq.inUse(domid)] : [];
    const port = pick(bound, b)?.[0] ?? 1;
    submit({ type: b % 3 === 0 ? 'guest.handle_irq' : 'guest.unbind_irq', domid, port });
  },
  grant: (host, submit, { a, b }) =>
    void submit({ type: 'guest.grant_page', domid: guestOf(host, a), remote_dom: b % 3, readonly: b % 2 === 0 }),
  mapGrant: (host, submit, { a, b }) => {
    const dom = guestOf(host, a);
    const granted = [...host.guests.gref.inUse(dom)];
    submit({ type: 'gnttab.map_grant_ref', domid: b % 3, dom, ref: pick(granted, b)?.[0] ?? 8, readonly: b % 2 === 0 });
  },
  endAccess: (host, submit, { a, b }) => {
    const domid = guestOf(host, a);
    submit({ type: 'guest.end_access', domid, ref: pick([...host.guests.gref.inUse(domid)], b)?.[0] ?? 8 });
  },
  spawn: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const name = pick(['tty', 'vbd.51712', 'kernel', ''], b)!;
    submit({ type: 'guest.spawn', domid, name, program: pick(['tty', 'blkfront', 'init'], b)!, args: [] });
  },
  exit: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    submit({ type: 'guest.exit', domid, name: pick(host.guests.records.get(domid)?.processes ?? [], b) ?? 'tty' });
  },
  work: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const kind = pick(['compute', 'sleep', 'read_file', 'ping'] as const, b)!;
    submit({ type: 'guest.start_work', domid, issuer: `d${b % 4 === 0 ? 0 : domid}.tty`, kind, args: ['1'] });
  },
  finish: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const work = pick(host.guests.records.get(domid)?.works ?? [], b)?.work ?? b;
    submit({ type: 'guest.finish_work', domid, work, errno: '', result: '' });
  },
  request: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const req_id = b % 4 === 0 ? b : (host.guests.records.get(domid)?.next_req_id ?? 1);
    submit({ type: 'xenbus.note_sent', domid, req_id, issuer: `d${domid}.tty`, request: 'xenstore.read' });
  },
  reply: (host, submit, { a, b }) => {
    const domid = someone(host, a);
    const req_id = pick(host.guests.records.get(domid)?.requests ?? [], b)?.req_id ?? b;
    submit({ type: 'xenbus.note_reply', domid, req_id, ok: b % 2 === 0, payload: pick(texts, b)! });
  },
  print: (host, submit, { a, b }) => void submit({ type: 'hvc.write', domid: someone(host, a), text: pick(texts, b)! }),
} satisfies Record<string, Run>;

const consoleActs = {
  openConsole: (host, submit, { a, b }) => {
    const dom = guestOf(host, a);
    const { port } = channel(host, submit, dom);
    const bound = submit({ type: 'evtchn.bind_interdomain', domid: 0, remote_dom: dom, remote_port: port });
    const local_port = bound.ok ? (bound.value as { local_port: number }).local_port : 0;
    submit({ type: 'console.open', domid: b % 7 === 0 ? 1 : 0, dom, mfn: host.xen.p2m.mfn(dom, CONSOLE_GFN), local_port });
  },
  closeConsole: (host, submit, { a }) => void submit({ type: 'console.close', domid: 0, dom: guestOf(host, a) }),
  type: (host, submit, { a, b }) => void submit({ type: 'console.input', dom: guestOf(host, a), text: pick(texts, b)! }),
  typed: (host, submit, { a, b }) =>
    void submit({ type: 'console.note_typed', domid: 0, dom: guestOf(host, a), count: pick([1, 2, 3000, 70000, -1, 0], b)! }),
  output: (host, submit, { a, b }) =>
    void submit({ type: 'console.note_output', domid: 0, dom: guestOf(host, a), text: pick(texts, b)! }),
} satisfies Record<string, Run>;

const blockActs = {
  connectVbd: (host, submit, { a, b, c }) => {
    const domid = guestOf(host, a);
    const vdev = pick(vdevs, b)!;
    const page = submit({ type: 'guest.grant_page', domid, remote_dom: 0, readonly: false });
    const { ref, gfn } = page.ok ? (page.value as { ref: number; gfn: number }) : { ref: 8, gfn: 24 };
    submit({ type: 'vbd.connect_frontend', domid, vdev, ring_gfn: gfn, ring_ref: ref, port: 1, backend: 0 });
    if (c % 3 === 0) return;
    submit({
      type: 'vbd.open_disk',
      domid: 0,
      frontend: domid,
      vdev,
      params: c % 7 === 0 ? '/none' : '/disk',
      readonly: c % 2 === 0,
    });
    if (c % 3 === 1)
      submit({ type: 'vbd.connect_backend', domid: 0, frontend: domid, vdev, ring_mfn: 99, ring_handle: 0, port: 1 });
  },
  submitted: (host, submit, { a, b, c }) => {
    const domid = guestOf(host, a);
    const vdev = pick(vdevs, b)!;
    const id = c % 3 === 0 ? c % 40 : host.vbds.freeId(domid, vdev);
    submit({ type: 'vbd.note_submitted', domid, vdev, id, op: 'read', sector: 0, nr_sectors: 8 });
  },
  served: (host, submit, { a, b, c }) => {
    const frontend = guestOf(host, a);
    const { vdev, id } = requestOf(host, frontend, b, c);
    submit({ type: 'vbd.note_served', domid: 0, frontend, vdev, id, op: 'read', sector: 0, nr_sectors: 8, status: 0 });
  },
  completed: (host, submit, { a, b, c }) => {
    const domid = guestOf(host, a);
    submit({ type: 'vbd.note_completed', domid, ...requestOf(host, domid, b, c), status: 0 });
  },
  disconnectVbd: (host, submit, { a, b, c }) => {
    const frontend = guestOf(host, a);
    submit({ type: 'vbd.disconnect', domid: c % 2 === 0 ? 0 : frontend, frontend, vdev: pick(vdevs, b)! });
  },
} satisfies Record<string, Run>;

const netActs = {
  connectVif: (host, submit, { a, b, c }) => {
    const domid = guestOf(host, a);
    const devid = b % 2;
    const ends = { devid, tx_port: 1, rx_port: 2 };
    submit({ type: 'vif.connect_frontend', domid, ...ends, mac: 1, tx_gfn: 20, tx_ref: 8, rx_gfn: 21, rx_ref: 9, backend: 0 });
    const mapped = { tx_mfn: 9, tx_handle: 0, rx_mfn: 10, rx_handle: 1, xdp_headroom: 0 };
    if (c % 2 === 0) submit({ type: 'vif.connect_backend', domid: 0, frontend: domid, ...ends, ...mapped });
    submit({ type: 'bridge.add_port', bridge: 'xenbr0', port: `vif${domid}.${devid}` });
  },
  packets: (host, submit, { a, b, c }) => {
    const domid = guestOf(host, a);
    const devid = b % 2;
    const id = c % 300;
    const ours = { domid, devid, id };
    const theirs = { domid: 0, frontend: domid, devid, id };
    const reports: readonly Command[] = [
      { type: 'vif.note_sent', ...ours, size: 60 },
      { type: 'vif.note_taken', ...theirs, slots: 1 + (b % 3), size: 60, status: 0 },
      { type: 'vif.note_reaped', ...ours },
      { type: 'vif.note_posted', domid, devid, count: c },
      { type: 'vif.note_filled', ...theirs, size: 60, status: 60 },
      { type: 'vif.note_received', ...ours, slots: 1, size: 60 },
      { type: 'vif.disconnect', domid: c % 2 === 0 ? 0 : domid, frontend: domid, devid },
    ];
    submit(pick(reports, b)!);
  },
  frame: (host, submit, { a, b, c }) => {
    const port = `vif${guestOf(host, a)}.${b % 2}`;
    const frame = makeEthernet({
      src: 0x163e000000 + (c % 5),
      dst: 0x163e000000 + (b % 5),
      type: 0x88b5,
      payload: new Uint8Array(46),
    });
    if (c % 9 === 0) submit({ type: 'bridge.remove_port', bridge: 'xenbr0', port });
    else submit({ type: 'bridge.forward', bridge: 'xenbr0', port, frame });
  },
} satisfies Record<string, Run>;

const toolstackActs = {
  xl: (_, submit, { b }) => void submit({ type: 'xl.run', argv: ['list', pick(texts, b)!], files: [] }),
  job: (host, submit, { a, b }) => {
    const job = 1 + (a % (host.toolstack.jobs.keys().length + 1));
    if (b % 2 === 0) submit({ type: 'xl.print', job, stream: 'stdout', text: pick(texts, b)! });
    else submit({ type: 'xl.exit', job, rc: pick([0, 1, 255, 256, -1], b)! });
  },
  config: (host, submit, { a }) => void submit({ type: 'xl.store_config', domid: guestOf(host, a), config: '{}' }),
  draw: (_, submit, { b }) => void submit({ type: 'host.draw', count: b % 5000 }),
} satisfies Record<string, Run>;

const lifeActs = {
  destroy: (host, submit, { a, b }) => {
    const domain = guestOf(host, a);
    for (let calls = b % 8; calls > 0 && host.xen.exists(domain); calls--)
      submit({ type: 'domctl.destroydomain', domid: 0, domain });
  },
  create: (host, submit, { a }) => {
    const domain = 1 + (a % 3);
    if (!host.xen.exists(domain)) for (const command of build(domain, { vcpus: 1, pages: 64, hvm: a % 2 === 0 })) submit(command);
  },
} satisfies Record<string, Run>;

const acts = { ...guestActs, ...consoleActs, ...blockActs, ...netActs, ...toolstackActs, ...lifeActs };
const names = Object.keys(acts) as (keyof typeof acts)[];

/** Runs of acts, each with another part of all acts (swarm), and wrong commands among them. */
export const hostRuns: fc.Arbitrary<readonly HostAct[]> = fc.subarray(names, { minLength: 6 }).chain((some) =>
  fc.array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({ act: fc.constantFrom(...some), a: fc.nat(100), b: fc.nat(10_000), c: fc.nat(10_000) }),
      },
      { weight: 1, arbitrary: anyHostCommand },
    ),
    { minLength: 1, maxLength: 100, size: 'max' },
  ),
);

/** Mostly a guest that exists, now and then one that does not. */
const guestOf = (host: Host, n: number): DomId => {
  const domids = [...host.xen.domids()].filter((domid) => domid > 0);
  return n % 20 === 0 ? 3 : (pick(domids, n) ?? 1);
};
const someone = (host: Host, n: number): DomId => (n % 7 === 0 ? 0 : guestOf(host, n));

/** A new event channel of a domain, for dom0 to bind; port 0 where there is none to have. */
function channel(_: Host, submit: Submit, domid: DomId): { readonly port: number } {
  const outcome = submit({ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: 0 });
  return outcome.ok ? (outcome.value as { port: number }) : { port: 0 };
}

/** Mostly a request that a guest has in flight. */
function requestOf(host: Host, domid: DomId, b: number, c: number): { readonly vdev: number; readonly id: number } {
  const made = host.vbds.request.of(domid) ? [...host.vbds.request.inUse(domid)] : [];
  const [row, request] = pick(made, b) ?? [];
  return row === undefined || request === undefined || c % 5 === 0
    ? { vdev: pick(vdevs, b)!, id: c % 50 }
    : { vdev: request.vdev, id: row % 32 };
}
