import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SECOND } from '../../events/units.ts';
import type { Command, FactOf, FactType, Step } from '../../events/vocabulary.ts';
import { defaultHost, type HostConfig } from '../../src/host-config.ts';
import { Dispatcher } from '../system/dispatcher.ts';

const golden = (name: string): string => readFileSync(new URL(`../../test/golden/xl/${name}`, import.meta.url), 'latin1');
const configs = Object.fromEntries(['pv1.cfg', 'pv2.cfg', 'bare.cfg'].map((name) => [name, golden(name)]));
const PV1 = configs['pv1.cfg']!;
const recordings = golden('requests.jsonl')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { job: string; type: string; args: string });

const config: HostConfig = {
  ...defaultHost,
  files: [
    { path: '/lab/guest/vmlinux', kind: 'kernel', builtin: 'linux' },
    { path: '/lab/disk1.img', kind: 'disk', image: 0, sectors: 16384, readonly: false },
  ],
};

/** A booted host, and a record of all its steps. */
class Lab {
  readonly steps: Step[] = [];
  readonly dispatcher = new Dispatcher({
    config,
    seed: 1,
    images: [{ sectors: 16384, read: (_, into) => void into.fill(0) }],
    onStep: (step) => void this.steps.push(step),
  });
  constructor() {
    this.dispatcher.input({ type: 'host.boot' }, 'toolstack');
  }

  /** Runs xl. `rc` is undefined while it has not ended. */
  xl(argv: string, files: Readonly<Record<string, string>> = {}): { rc: number | undefined; stdout: string; stderr: string } {
    const from = this.steps.length;
    this.dispatcher.input(
      { type: 'xl.run', argv: argv.split(' '), files: Object.entries({ ...configs, ...files }).flat() },
      'toolstack',
    );
    const { job } = this.facts('xl.job_started', from)[0]!;
    const printed = this.facts('xl.printed', from).filter((fact) => fact.job === job);
    const text = (stream: string) => printed.flatMap((fact) => (fact.stream === stream ? [fact.text] : [])).join('');
    return { rc: this.rcOf(job), stdout: text('stdout'), stderr: text('stderr') };
  }
  rcOf(job: number): number | undefined {
    return this.facts('xl.exited').find((fact) => fact.job === job)?.rc;
  }
  run(seconds: number): void {
    this.dispatcher.run(this.dispatcher.now + seconds * SECOND);
  }
  facts<K extends FactType>(type: K, from = 0): FactOf<K>[] {
    return this.steps.slice(from).flatMap(({ outcome }) => (outcome.events ?? []).filter((event) => event.type === type) as FactOf<K>[]);
  }
  /** What an actor asked of XenStore, as the recordings write it. */
  requests(origin: RegExp, from = 0): string[] {
    return needed(this.steps.slice(from).flatMap(({ origin: who, command }) => (origin.test(who) ? asRecorded(command) : [])));
  }
  /** `xenstore-ls -f -p` of the paths that match. */
  tree(paths: RegExp): string[] {
    const { store } = this.dispatcher.host;
    return [...store.tree.root.walk()]
      .filter(({ path }) => path !== '/' && paths.test(path))
      .map((node) => `${node.path} = "${node.value}"   (${store.showPerms(node.perms).join(',')})`);
  }
  get domids(): number[] {
    return [...Array(50).keys()].filter((domid) => this.dispatcher.host.xen.exists(domid));
  }
}

const booted = (): Lab => new Lab();

describe('boot', () => {
  test('XenStore is as on the recorded host, but for the memory of dom0', () => {
    const recorded = golden('boot.txt').trimEnd().split('\n');
    expect(booted().tree(/./)).toEqual(recorded.map((line) => line.replace('1048576', String(640 * 1024))));
  });
  test('dom0 has what the configuration gives it, and no pCPU to wait for', () => {
    const { host } = booted().dispatcher;
    expect(host.xen.domain.of(0)!.tot_pages.at(0)).toBe(640 * 256);
    expect(host.xen.sched.vcpu.of(0)!.detached.at(0)).toBe(1);
  });
});

describe('requests, in the recorded order', () => {
  test('create', () => {
    const lab = booted();
    const from = lab.steps.length;
    expect(lab.xl('create pv1.cfg').rc).toBe(0);
    expect(lab.requests(/^xl\.1$/, from)).toEqual(recorded('create'));
  });

  test("the hotplug scripts' meanwhile, with a loop device of our numbering", () => {
    const lab = booted();
    lab.xl('create pv1.cfg');
    const ours = recorded('create.block').map((line) => line.replace('/dev/loop0', '/dev/loop16').replace(' 7:0', ' 7:10'));
    // The recording has this write of vif-bridge's under the name of the program that makes it.
    const mtu = 'WRITE /local/domain/1/device/vif/0/mtu 1500';
    expect(lab.requests(/^hotplug\./).filter((line) => line !== mtu)).toEqual(ours);
  });

  test('destroy', () => {
    const lab = booted();
    lab.xl('create bare.cfg');
    lab.xl('destroy bare');
    lab.xl('create pv1.cfg');
    lab.run(5);
    const from = lab.steps.length;
    expect(lab.xl('destroy pv1').rc).toBe(0);
    const requests = lab.requests(/^xl\.4$/, from);
    const expected = recorded('destroy');
    const waits = expected.indexOf('WATCH /local/domain/0/backend/vif/2/0/state TOKEN') + 1;
    expect(waits).toBeGreaterThan(1);
    expect(requests.slice(0, waits)).toEqual(expected.slice(0, waits));
    // From here on we wait for one backend after the other, libxl for both at once: the same requests in another order.
    expect(sorted(requests)).toEqual(sorted(expected));
  });

  test('shutdown -w, and what the daemon does then', () => {
    const lab = booted();
    // The recorded guest's network interface has been detached before.
    lab.xl('create pv1.cfg', { 'pv1.cfg': PV1.replace(/^vif.*$/m, '') });
    lab.run(5);
    lab.xl('shutdown -w pv1');
    lab.run(5);
    expect(lab.rcOf(2)).toBe(0);
    expect(lab.requests(/^xl\.2$/)).toEqual(recorded('shutdown'));
    // The recording begins when the daemon is there already; and that guest has closed its disk by itself.
    const isLeftOut = (line: string) => line === 'WATCH @releaseDomain TOKEN' || line.endsWith('/state 5');
    const requests = lab.requests(/^xl\.daemon\.1$/).filter((line) => !isLeftOut(line));
    expect(requests).toEqual(recorded('poweroff'));
    expect(lab.domids).toEqual([0]);
  });
});

/**
 * Requests that libxl makes and we do not, or not each time: they ask for what the asker knows or has just written itself, and for
 * what no PV domain has. How often somebody reads one key in a row depends on which events have come together.
 */
const needless: readonly RegExp[] = [
  /^GET_DOMAIN_PATH /,
  /^READ domid$/,
  /^READ \/local\/domain\/\d+\/image\/device-model-(domid|pid)$/,
  /^READ \/local\/domain\/\d+\/(target|vm)$/,
  /^READ \/local\/domain\/0\/backend\/pci\//,
  /^READ \/local\/domain\/0\/backend\/(vbd|vif)\/\d+\/\d+\/(script|type|gatewaydev)$/,
  /^READ \/local\/pool\/0\/name$/,
  /^READ \/tool\/xen(stored|consoled)\/domid$/,
];
const needed = (lines: readonly string[]): string[] =>
  lines
    .filter((line) => !needless.some((pattern) => pattern.test(line)))
    .filter((line, i, all) => line !== all[i - 1] || !line.startsWith('READ '));

const recorded = (job: string): string[] =>
  needed(recordings.filter((one) => one.job === job).map(({ type, args }) => normal(`${type} ${args}`.trimEnd())));

function asRecorded(command: Command): string[] {
  if (!command.type.startsWith('xenstore.')) return [];
  const type = command.type.slice('xenstore.'.length).toUpperCase();
  switch (command.type) {
    case 'xenstore.connect':
    case 'xenstore.disconnect':
      return [];
    case 'xenstore.write':
      return [normal(`WRITE ${command.path} ${command.value}`.trimEnd())];
    case 'xenstore.set_perms':
      return [`SET_PERMS ${command.path} ${command.perms.join(' ')}`];
    case 'xenstore.watch':
    case 'xenstore.unwatch':
      return [`${type} ${command.path} TOKEN`];
    case 'xenstore.transaction_start':
      return [type];
    case 'xenstore.transaction_end':
      return [`${type} ${command.commit ? 'T' : 'F'}`];
    case 'xenstore.introduce':
      return [normal(`INTRODUCE ${command.domid} ${command.mfn} ${command.port}`)];
    default:
      return [`${type} ${(command as { path: string }).path}`];
  }
}

/** Frames, times and tokens are not the same in any two runs. */
const normal = (line: string): string =>
  line
    .replace(/(ring-ref) \d+$/, '$1 MFN')
    .replace(/^(INTRODUCE \d+) \d+/, '$1 MFN')
    .replace(/(start_time) [\d.]+$/, '$1 TIME')
    .replace(/^((?:UN)?WATCH \S+) .*/, '$1 TOKEN');

const sorted = (lines: readonly string[]): string[] => [...lines].sort();
