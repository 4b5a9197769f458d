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
    return this.steps
      .slice(from)
      .flatMap(({ outcome }) => (outcome.events ?? []).filter((event) => event.type === type) as FactOf<K>[]);
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

test('info: the rows of the recorded host, but for its kernel, its build and its memory', () => {
  const recorded = `nr_cpus                : 2
max_cpu_id             : 1
nr_nodes               : 1
cores_per_socket       : 2
threads_per_core       : 1
cpu_mhz                : 2000.000
hw_caps                : 1fcbf3fd:f6d8320b:ec500800:00000077:00000005:018843a9:0000020c:00000000
virt_caps              : pv hvm hap gnttab-v1 gnttab-v2
total_memory           : 2048
free_memory            : 1391
sharing_freed_memory   : 0
sharing_used_memory    : 0
outstanding_claims     : 0
free_cpus              : 0
xen_major              : 4
xen_minor              : 17
xen_extra              : .7
xen_version            : 4.17.7
xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 
xen_scheduler          : credit2
xen_pagesize           : 4096
platform_params        : virt_start=0xffff800000000000
`;
  expect(booted().xl('info')).toMatchObject({ rc: 0, stdout: expect.stringContaining(recorded) });
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

describe('a domain that was created', () => {
  test('has the recorded tree before it first runs, but for frames, the terminal, and the time', () => {
    const lab = booted();
    for (const name of ['a', 'b', 'c'])
      lab.xl(`create -p bare.cfg name="${name}" uuid="${name.repeat(8)}-0000-4000-8000-000000000000"`);
    expect(lab.xl('create -p pv2.cfg').rc).toBe(0);
    const ours = lab.tree(/^\/local\/domain\/4($|\/)|^\/vm\/4444|^\/libxl\/4($|\/)|backend\/[a-z]+\/4($|\/)/);
    expect(ours.map(unlikely)).toEqual(golden('pv2-paused.txt').trimEnd().split('\n').map(unlikely));
  });
  test('is kept with its configuration, UUID and MAC address drawn where the file has none', () => {
    const lab = booted();
    lab.xl('create -p x.cfg', { 'x.cfg': 'name="x"\nkernel="/lab/guest/vmlinux"\nmemory=64\nvif=["",""]\n' });
    const { c_info, nics } = JSON.parse(lab.facts('xl.config_stored')[0]!.config);
    expect(c_info.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const macs = (nics as { mac: string }[]).map(({ mac }) => mac);
    expect(new Set(macs).size).toBe(2);
    for (const mac of macs) expect(mac).toMatch(/^00:16:3e(:[0-9a-f]{2}){3}$/);
    expect(lab.tree(/^\/local\/domain\/1\/device\/vif\/1\/mac/)[0]).toContain(macs[1]);
    // Another one gets others.
    lab.xl('create -p y.cfg', { 'y.cfg': 'name="y"\nkernel="/lab/guest/vmlinux"\nmemory=64\n' });
    expect(JSON.parse(lab.facts('xl.config_stored')[1]!.config).c_info.uuid).not.toBe(c_info.uuid);
  });
  test.each([
    ['-p', '--p---'],
    ['', '-b----'],
  ])('create %s leaves it %s', (option, state) => {
    const lab = booted();
    lab.xl(`create ${option} bare.cfg`.replace('  ', ' '));
    lab.run(5);
    expect(lab.xl('list bare').stdout).toMatch(new RegExp(`^bare +1 +128 +1 +${state} `, 'm'));
  });
  test('create -n prints the configuration and makes nothing', () => {
    const lab = booted();
    const { rc, stdout } = lab.xl('create -n bare.cfg memory=77');
    expect(rc).toBe(0);
    expect(JSON.parse(stdout).b_info.max_memkb).toBe(77 * 1024);
    expect(lab.domids).toEqual([0]);
  });
  test('weight and affinity', () => {
    const lab = booted();
    expect(lab.xl('create -p bare.cfg cpu_weight=512 cpus="1" vcpus=2').rc).toBe(0);
    expect(lab.facts('domain.weight_set')).toMatchObject([{ domid: 1, weight: 512 }]);
    expect(lab.facts('vcpu.affinity_set')).toMatchObject([
      { vcpu: 0, cpus: [1] },
      { vcpu: 1, cpus: [1] },
    ]);
  });
});

describe('exit codes as recorded, with the domain bare there', () => {
  test.each([
    ['nosuchcmd', 1],
    ['lis', 0],
    ['l', 1],
    ['cre', 6],
    ['pause', 2],
    ['pause nosuch', 1],
    ['pause 999', 0],
    ['pause 99999', 0],
    ['pause bare extra', 0],
    ['unpause', 2],
    ['unpause nosuch', 1],
    ['unpause bare', 0],
    ['destroy', 2],
    ['destroy nosuch', 1],
    ['destroy 999', 1],
    ['destroy 0', 1],
    ['destroy Domain-0', 1],
    ['destroy -f Domain-0x', 1],
    ['destroy bare extra2', 0],
    ['list nosuch', 1],
    ['list 999', 1],
    ['list bare extra', 1],
    ['list -x', 2],
    ['shutdown', 1],
    ['shutdown nosuch', 1],
    ['shutdown 0 0', 0],
    ['reboot nosuch', 1],
    ['reboot', 1],
    ['console nosuch', 1],
    ['console', 2],
    ['console -t foo bare', 1],
    ['create', 6],
    ['create /nonexistent.cfg', 3],
    ['info -x', 2],
    ['-v list', 0],
    ['-N list', 1],
    ['-f list', 0],
    ['-x list', 1],
    ['-N create pv1.cfg', 0],
    ['create -q -n pv1.cfg', 0],
    ['create bare.cfg', 3],
    ['rename bare', 2],
    ['rename nosuch x', 1],
    ['rename bare Domain-0', 1],
    ['rename bare bare', 0],
    ['domid bare', 0],
    ['domid nosuch', 1],
    ['domid 1', 1],
    ['domid', 2],
    ['domname 1', 0],
    ['domname 99', 1],
    ['domname abc', 1],
    ['domname', 2],
    ['help', 0],
    ['--help', 1],
    ['list -h', 0],
    ['list --bogus', 2],
  ])('xl %s: %i', (argv, rc) => {
    const lab = booted();
    lab.xl('create bare.cfg');
    lab.run(5);
    const said = lab.xl(argv);
    expect(said.rc).toBe(rc);
    // What went wrong is said in one line on stderr; what ends well complains only where Xen refused something.
    expect(said.stderr.split('\n').filter((line) => line.startsWith('xl: ')).length).toBe(
      rc > 0 && said.stderr !== '' ? 1 : /pause 9/.test(argv) || argv === 'unpause bare' ? 1 : 0,
    );
  });

  test('an empty word is no word for all domains', () => {
    const lab = booted();
    lab.xl('create bare.cfg');
    lab.run(5);
    expect(lab.xl('shutdown ').rc).toBe(1);
    expect(lab.xl('list ').rc).toBe(1);
    expect(lab.xl('rename bare ').rc).toBe(0);
    expect(lab.xl('list ').stdout).toMatch(/^ {40} +1 +128/m);
    expect(lab.xl('shutdown -w ').rc).toBeUndefined();
    lab.run(5);
    expect(lab.domids).toEqual([0]);
  });
  test('shutdown of a paused domain does not wait for it, but it is obeyed later', () => {
    const lab = booted();
    lab.xl('create -p bare.cfg');
    expect(lab.xl('shutdown bare').rc).toBe(1);
    expect(lab.xl('unpause bare').rc).toBe(0);
    lab.run(10);
    expect(lab.domids).toEqual([0]);
  });
});

describe('a domain that cannot be made leaves nothing but a domid used up', () => {
  const small = 'name="x"\nmemory=64\nkernel="/lab/guest/vmlinux"\n';
  test.each([
    ['no such disk', `${small}disk=["/nonexistent.img,raw,xvda,w"]`, 3, '/nonexistent.img'],
    ['no such vdev', `${small}disk=["/lab/disk1.img,raw,zzz,w"]`, 3, 'zzz'],
    ['needs QEMU', `${small}disk=["/lab/disk1.img,qcow2,xvda,w"]`, 3, 'QEMU'],
    ['no such bridge', `${small}disk=["/lab/disk1.img,raw,xvda,w"]\nvif=["bridge=nonexist"]`, 3, 'nonexist'],
    ['no such kernel', `${small}kernel="/nonexistent"`, 3, '/nonexistent'],
    ['no memory', `${small}memory=100000`, 3, '100000 MiB'],
    ['no such pool', `${small}pool="nopool"`, 6, 'nopool'],
    ['name taken', `${small}name="Domain-0"`, 3, 'Domain-0'],
    ['no boot menu', `name="x"\nmemory=64\nbootloader="pygrub"\ndisk=["/lab/disk1.img,raw,xvda,w"]`, 3, 'menu'],
  ])('%s', (_, text, rc, says) => {
    const lab = booted();
    const before = { tree: lab.tree(/./), actors: actors(lab) };
    const said = lab.xl('create x.cfg', { 'x.cfg': text });
    expect(said.rc).toBe(rc);
    expect(said.stderr).toContain(says);
    expect(lab.domids).toEqual([0]);
    expect(lab.tree(/./).filter((line) => !/^\/(vm|libxl) = /.test(line))).toEqual(before.tree);
    expect(actors(lab)).toEqual(before.actors);
    expect(lab.dispatcher.host.xen.p2m.freePages).toBe(booted().dispatcher.host.xen.p2m.freePages);
    lab.xl('create -p bare.cfg');
    expect(lab.domids).toEqual([0, rc === 6 ? 1 : 2]);
  });
  test('no domain of a type that is not PV', () => {
    const lab = booted();
    expect(lab.xl('create x.cfg', { 'x.cfg': `${small}type="pvh"` }).rc).toBe(3);
    expect(lab.domids).toEqual([0]);
  });
});

describe('what the daemon does when a domain has shut down', () => {
  test.each([
    ['shutdown', 'on_poweroff="destroy"', [0]],
    ['shutdown', 'on_poweroff="preserve"', [0, 1]],
    ['shutdown', 'on_poweroff="restart"', [0, 2]],
    ['shutdown', 'on_poweroff="rename-restart"', [0, 1, 2]],
    ['reboot', '', [0, 2]],
    ['reboot', 'on_reboot="destroy"', [0]],
  ])('%s, %s', (command, setting, domids) => {
    const lab = booted();
    lab.xl('create x.cfg', { 'x.cfg': `${PV1}\n${setting}\n` });
    lab.run(5);
    lab.xl(`${command} pv1`);
    lab.run(5);
    expect(lab.domids).toEqual(domids);
    expect(daemons(lab)).toEqual(domids.includes(2) ? ['xl.daemon.2'] : []);
    if (domids.includes(2)) expect(lab.xl('domid pv1').stdout).toBe('2\n');
    if (domids.length === 3) expect(lab.xl('domname 1').stdout).toBe('pv1-1\n');
  });
  test('create -e leaves none', () => {
    const lab = booted();
    lab.xl('create -e pv1.cfg');
    lab.run(5);
    expect(daemons(lab)).toEqual([]);
    lab.xl('reboot pv1');
    lab.run(5);
    expect(lab.xl('list pv1').stdout).toMatch(/ ---sr- /);
  });
  test('a crash', () => {
    const lab = booted();
    lab.xl('create x.cfg', { 'x.cfg': `${PV1}\non_crash="restart"\n` });
    lab.run(5);
    lab.dispatcher.input({ type: 'sched.shutdown', domid: 1, reason: 'crash' }, 'test');
    lab.run(5);
    expect(lab.domids).toEqual([0, 2]);
    expect(lab.xl('destroy pv1').rc).toBe(0);
    expect(lab.domids).toEqual([0]);
    expect(daemons(lab)).toEqual([]);
  });
});

test('what a job knows is plain JSON, all the time', () => {
  const lab = booted();
  const known: unknown[] = [];
  lab.dispatcher.steps$.subscribe(({ origin }) => {
    if (/^(xl|hotplug)\./.test(origin)) known.push(lab.dispatcher.directory.context(origin));
  });
  for (const argv of ['create pv1.cfg', 'list', 'vcpu-list', 'rename pv1 x', 'shutdown x', 'destroy x']) {
    lab.xl(argv);
    lab.run(1);
  }
  expect(known.length).toBeGreaterThan(400);
  for (const context of known) if (context) expect(JSON.parse(JSON.stringify(context))).toStrictEqual(context);
});

/** Those that are not over. */
const actors = ({ dispatcher: { directory } }: Lab): string[] =>
  directory.ids().filter((id) => directory.state(id)?.value !== 'end' && !/^p\d+$/.test(id));
const daemons = (lab: Lab): string[] => actors(lab).filter((id) => id.startsWith('xl.'));

/** A line of a tree without what is not the same in any two runs. */
const unlikely = (line: string): string => line.replace(/((?:ring-ref|tty|start_time) = )"[^"]*"/, '$1""');

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

describe("Xen's console", () => {
  test('xl dmesg prints the ring, and -c forgets it', () => {
    const lab = new Lab();
    const { rc, stdout } = lab.xl('dmesg');
    expect(rc).toBe(0);
    expect(stdout).toMatch(/^\(XEN\) Xen 4\.17\.7/);
    expect(lab.xl('dmesg -c').stdout).toBe(stdout);
    expect(lab.xl('dmesg').stdout).toBe('');
  });
  test('xl debug-keys says nothing; its answers are in the ring', () => {
    const lab = new Lab();
    lab.xl('dmesg -c');
    // As recorded: keys that nobody knows are no mistake, no key at all is.
    expect(lab.xl('debug-keys h')).toEqual({ rc: 0, stdout: '', stderr: '' });
    expect(lab.xl('debug-keys ABC').rc).toBe(0);
    expect(lab.xl('debug-keys').rc).toBe(2);
    expect(lab.xl('dmesg').stdout).toContain("key 'h' (ascii '68')");
  });
});
