import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatDiagnostic } from './diagnostic.ts';
import { domainConfig, domainConfigJson } from './domain-config.ts';
import { formatJson } from './json.ts';
import { knownKeys } from './keys.ts';
import { parseConfig } from './parse.ts';
import { TWO_CPUS } from './surroundings.ts';
import type { DomainConfig } from './types.ts';

interface Recording {
  readonly name: string;
  readonly rc: number;
  readonly config: string;
  readonly stdout: string;
}
const file = new URL('../../../test/golden/xl-cfg/create-n.jsonl.gz', import.meta.url);
const recordings = gunzipSync(readFileSync(file))
  .toString('utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as Recording);

/** Recordings that we do not repeat, each with the reason. One that does come out the same must leave this list. */
const different: Readonly<Record<string, string>> = {};

const bytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

/** What `xl create -n` ends with and prints; where the file has no uuid, the recorded one. */
function createDryRun(config: string, uuid: string): { rc: number; stdout: string } {
  const parsed = parseConfig(config, 'a.cfg');
  if (!parsed.ok) return { rc: parsed.rc, stdout: '' };
  const read = domainConfig(parsed.settings);
  if (!read.ok) return { rc: read.rc, stdout: '' };
  if (read.draw.includes('uuid')) read.config.c_info.uuid = uuid;
  return { rc: 0, stdout: formatJson(domainConfigJson(read.config)) };
}

test('there are 257 recordings, and every listed difference is one of them', () => {
  expect(recordings.length).toBe(257);
  expect(recordings.map(({ name }) => name)).toEqual(expect.arrayContaining(Object.keys(different)));
});

test.each(recordings)('$name', ({ name, rc, config, stdout }) => {
  const uuid = /"uuid": "([^"]*)"/.exec(stdout)?.[1] ?? '';
  const ours = createDryRun(config, uuid);
  if (Object.hasOwn(different, name)) expect(ours).not.toEqual({ rc, stdout: bytes(stdout) });
  else expect(ours).toEqual({ rc, stdout: bytes(stdout) });
});

const minimal = 'name = "a"\nkernel = "/k"\n';
function read(text: string, surroundings = TWO_CPUS) {
  const parsed = parseConfig(text, 'f');
  if (!parsed.ok) throw new Error(parsed.errors.map(formatDiagnostic).join());
  return domainConfig(parsed.settings, surroundings);
}
const config = (text: string, surroundings = TWO_CPUS): DomainConfig => {
  const result = read(text, surroundings);
  if (!result.ok) throw new Error(result.errors.map(formatDiagnostic).join());
  return result.config;
};

test('a domain of the Live CD', () => {
  const { c_info, b_info, ...devices } = config(
    [
      'name = "web"; uuid = "AC0A5B9E-cbe2-4c07-b43b-1d69e46fb839"',
      'bootloader = "pygrub"; memory = 128; maxmem = 256; vcpus = 2; cpus = "0-1"; cpu_weight = 512',
      'root = "/dev/xvda1 ro"; extra = "quiet"; on_crash = "rename-restart"',
      'disk = ["phy:/dev/loop0,xvda,w"]; vif = ["bridge=xenbr0"]; vfb = ["vnc=1"]',
    ].join('\n'),
  );
  expect(c_info).toMatchObject({ type: 'pv', name: 'web', uuid: 'ac0a5b9e-cbe2-4c07-b43b-1d69e46fb839' });
  expect(b_info).toMatchObject({
    bootloader: 'pygrub',
    target_memkb: 131072n,
    max_memkb: 262144n,
    max_vcpus: 2,
    avail_vcpus: [0, 1],
    vcpu_hard_affinity: [
      [0, 1],
      [0, 1],
    ],
    sched_params: { weight: 512 },
    cmdline: 'root=/dev/xvda1 ro quiet',
  });
  expect(devices).toMatchObject({
    on_poweroff: 'destroy',
    on_reboot: 'restart',
    on_crash: 'restart_rename',
    disks: [{ pdev_path: '/dev/loop0', vdev: 'xvda', format: 'raw', readwrite: 1 }],
    nics: [{ devid: 0, bridge: 'xenbr0' }],
    vfbs: [{ devid: 0, vnc: { enable: true } }],
    vkbs: [{ devid: 0 }],
  });
});

describe('exit status and line of the error, as read in xl_parse.c where no recording has it', () => {
  test.each([
    ['vcpus = "-1"', 1],
    ['max_grant_frames = 2147483648', 1],
    ['type="pvh"; timer_mode = "never"', 1],
    ['timer_mode = 1', 3],
    ['device_model_args = "x"', 3],
    ['tee = "x"', 3],
    ['type="hvm"; mca_caps = "lmce"', 3],
    ['type="hvm"; viridian = ["nosuch"]', 3],
    ['type="hvm"; vga = "x"', 1],
    ['type="hvm"; vnclisten = "0:1"; vncdisplay = 1', 1],
    ['type="hvm"; mmio_hole = 255', 1],
    ['altp2m = 4', 1],
    ['firmware = "pvgrub64"', 1],
    ['ioports = ["2f8-"]', 1],
    ['irqs = [[1]]', 1],
    ['p9 = ["tag=a"]', 1],
    ['channel = ["connection=socket"]', 1],
    ['channel = [""]', -11],
    ['vkb = ["width=1"]', 1],
    ['usbdev = ["type=x"]', 1],
    ['pci = ["x"]', 6],
    ['vnuma = [["pnode=1"]]', 1],
    ['vnuma = [["vcpus=0-8"]]', 1],
    ['vnuma = ["x"]', 1],
  ])('%s', (text, rc) => {
    expect(read(`${minimal}${text}\n`)).toMatchObject({ ok: false, rc, errors: [{ file: 'f', line: 3 }] });
  });
});

test('an option of another type of domain has no effect and is no unknown key', () => {
  expect(read(`${minimal}boot = "c"\nmca_caps = "x"\n`)).toMatchObject({ ok: true, warnings: [] });
});

test('a key that xl does not know is named with its line', () => {
  const { warnings } = read(`${minimal}memroy = 64\n`);
  expect(warnings.map(formatDiagnostic)).toEqual(["f:3: xl knows no 'memroy': it is ignored; look for a typing mistake"]);
});

test('virtual nodes bring vCPUs and memory; the host decides what fits', () => {
  const text = `${minimal}vnuma = [["pnode=0","size=64","vcpus=0","vdistances=10,20"],["size=32","vcpus=1"]]\n`;
  expect(config(text).b_info).toMatchObject({
    max_vcpus: 2,
    max_memkb: 98304n,
    numa_placement: false,
    vnuma_nodes: [
      { memkb: 65536n, distances: [10, 20], pnode: 0, vcpus: [0] },
      { memkb: 32768n, distances: [0, 0], vcpus: [1] },
    ],
  });
  expect(read(text, { ...TWO_CPUS, online_cpus: 1 })).toMatchObject({ ok: false, rc: 1 });
  expect(read(`${text}maxvcpus = 3\n`)).toMatchObject({ ok: false, rc: 1 });
});

test('what xl.conf has for every interface and for grants', () => {
  const { b_info, nics } = config(`${minimal}vif = [""]\n`, { ...TWO_CPUS, max_grant_frames: 64, vif: { bridge: 'br0' } });
  expect(b_info.max_grant_frames).toBe(64);
  expect(nics).toEqual([{ devid: 0, bridge: 'br0' }]);
});

test('sound cards: items belong to the last pcm and stream', () => {
  const text = `${minimal}vsnd = [["card, short-name=Main, sample-rates=8000;44100", "pcm, name=d", "stream, type=P, unique-id=0"]]\n`;
  expect(config(text).vsnds).toEqual([
    {
      devid: 0,
      short_name: 'Main',
      params: { sample_rates: [8000, 44100] },
      pcms: [{ name: 'd', params: {}, streams: [{ type: 'p', unique_id: '0', params: {} }] }],
    },
  ]);
});

test('any values of known keys are read or refused, and what is read can be written', () => {
  const word = fc.oneof(
    fc.constantFrom(
      '',
      '1',
      '-1',
      'pv',
      'hvm',
      'pvh',
      'x=1',
      'host,tm=0',
      '0-1',
      'connection=pty',
      'all',
      '99999999999999999999',
      'a:b,c=d;e',
    ),
    fc.string({ maxLength: 8 }),
  );
  const string = word.map((text) => `"${text.replace(/[^ -~]/g, '').replace(/[\\"]/g, '\\$&')}"`);
  const list = fc.array(
    fc.oneof(
      string,
      fc.array(string, { maxLength: 3 }).map((inner) => `[${inner}]`),
    ),
    { maxLength: 3 },
  );
  const value = fc.oneof(
    string,
    list.map((items) => `[${items}]`),
  );
  const setting = fc.tuple(fc.constantFrom(...knownKeys), value).map(([key, written]) => `${key} = ${written}\n`);
  fc.assert(
    fc.property(fc.array(setting, { maxLength: 6 }), fc.constantFrom('pv', 'pvh', 'hvm'), (settings, type) => {
      const result = read(`${minimal}type = "${type}"\n${settings.join('')}`);
      if (result.ok) JSON.parse(formatJson(domainConfigJson(result.config)));
      else expect(result.errors.length).toBe(1);
    }),
    { numRuns: 3000 },
  );
});
