import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseScenario } from './parse.ts';
import { formatScenarioError } from './scenario.ts';

const scenarioOf = (text: string) => {
  const parsed = parseScenario(text, 's.yaml');
  if (!parsed.ok) throw new Error(parsed.errors.map(formatScenarioError).join('\n'));
  return parsed.scenario;
};
const errorsOf = (text: string): string[] => {
  const parsed = parseScenario(text, 's.yaml');
  return parsed.ok ? [] : parsed.errors.map(formatScenarioError);
};

test('the least scenario: a host that runs by itself', () => {
  expect(scenarioOf('until: 1s')).toEqual({
    file: 's.yaml',
    seed: 1,
    host: {
      pcpus: 2,
      memory_mib: 2048,
      dom0: { memory_mib: 640, vcpus: 1 },
      scheduler: 'credit2',
      xen_version: '4.17',
      bridges: [{ name: 'xenbr0', ip: '10.0.0.1', netmask: '255.255.255.0' }],
    },
    files: [],
    workloads: [],
    timeline: [],
    until_ns: 1_000_000_000,
  });
});

test('everything that a scenario may say', () => {
  const scenario = scenarioOf(`
seed: 42
host:
  pcpus: 4
  memory: 4G
  dom0: {memory: 512, vcpus: 2}
  scheduler: credit2
  xen_version: '4.17'
  bridges:
    - {name: br0, ip: 192.168.0.1, netmask: 255.255.0.0}
files:
  /d/a.img: {disk: a.img, readonly: true}
  /d/b.img: {size: 64M}
  /boot/vmlinuz: builtin:linux
  /etc/xen/a.cfg: {config: a.cfg}
workloads:
  a: [{program: cpu, percent: 30}, {program: disk, sectors: 64, every: 20ms}, {program: ping, address: 10.0.0.1}]
timeline:
  - {at: 1s, xl: create /etc/xen/a.cfg}
  - {after: 500ms, xl: [create, "/my file.cfg", -c], exit: 1}
  - {after: 2s, console: {domain: a, text: "l\\xE9\\n"}}
  - {at: 10s, xl: xl list}
until: 1m
`);
  expect(scenario.seed).toBe(42);
  expect(scenario.host).toEqual({
    pcpus: 4,
    memory_mib: 4096,
    dom0: { memory_mib: 512, vcpus: 2 },
    scheduler: 'credit2',
    xen_version: '4.17',
    bridges: [{ name: 'br0', ip: '192.168.0.1', netmask: '255.255.0.0' }],
  });
  expect(scenario.files.map(({ place: _, ...file }) => file)).toEqual([
    { path: '/d/a.img', kind: 'disk', file: 'a.img', readonly: true },
    { path: '/d/b.img', kind: 'sparse', bytes: 67_108_864, readonly: false },
    { path: '/boot/vmlinuz', kind: 'kernel', builtin: 'linux' },
    { path: '/etc/xen/a.cfg', kind: 'config', file: 'a.cfg' },
  ]);
  expect(scenario.timeline).toEqual([
    { time: 1e9, place: { file: 's.yaml', line: 19, column: 5 }, kind: 'xl', argv: ['create', '/etc/xen/a.cfg'], exit: 0 },
    { time: 1.5e9, place: { file: 's.yaml', line: 20, column: 5 }, kind: 'xl', argv: ['create', '/my file.cfg', '-c'], exit: 1 },
    { time: 3.5e9, place: { file: 's.yaml', line: 21, column: 5 }, kind: 'console', domain: 'a', text: 'l\xc3\xa9\n' },
    { time: 10e9, place: { file: 's.yaml', line: 22, column: 5 }, kind: 'xl', argv: ['list'], exit: 0 },
  ]);
  expect(scenario.workloads).toEqual([
    {
      domain: 'a',
      place: { file: 's.yaml', line: 17, column: 3 },
      workloads: [
        { program: 'cpu', percent: 30 },
        { program: 'disk', sectors: 64, every_ns: 20_000_000 },
        { program: 'ping', address: '10.0.0.1' },
      ],
    },
  ]);
  expect(scenario.until_ns).toBe(60e9);
});

test('what the machine is: its topology, its scheduler, its clocks', () => {
  const parsed = parseScenario(
    `until: 5s
host:
  pcpus: 8
  scheduler: credit
  topology: { cores_per_socket: 2, threads_per_core: 2 }
  credit2_runqueue: core
  xen: { wallclock: 2009-02-14T12:00:00Z, tsc_khz: 2800000, pv32: true, iommu: false }
`,
    's.yaml',
  );
  expect(parsed.ok && parsed.scenario.host).toMatchObject({
    scheduler: 'credit',
    topology: { cores_per_socket: 2, threads_per_core: 2 },
    credit2_runqueue: 'core',
    xen: { wallclock: 1_234_612_800, tsc_khz: 2_800_000, pv32: true, iommu: false },
  });
});

test('a machine of which only the threads are said has one socket', () => {
  const topology = (text: string) => {
    const parsed = parseScenario(`until: 5s\nhost: { ${text} }\n`, 's.yaml');
    return parsed.ok && parsed.scenario.host.topology;
  };
  expect(topology('pcpus: 8, topology: { threads_per_core: 2 }')).toEqual({ cores_per_socket: 4, threads_per_core: 2 });
  expect(topology('pcpus: 3, topology: { threads_per_core: 2 }')).toEqual({ cores_per_socket: 2, threads_per_core: 2 });
  expect(topology('topology: { cores_per_socket: 1 }')).toEqual({ cores_per_socket: 1, threads_per_core: 1 });
  expect(topology('pcpus: 8, topology: {}')).toEqual({ cores_per_socket: 8, threads_per_core: 1 });
  expect(topology('pcpus: 8')).toBeUndefined();
});

describe('one line for each mistake', () => {
  test.each([
    ['', ['s.yaml:1:1: the scenario must be a map: a line "key: value" for each entry']],
    ['- a', ['s.yaml:1:1: the scenario must be a map: a line "key: value" for each entry']],
    ['seed: 1', ['s.yaml:1:1: until is missing: add it, a number with its unit, such as 5s, 200ms or 1m30s']],
    ['until: 5', ['s.yaml:1:8: until is 5: write a number with its unit, such as 5s, 200ms or 1m30s']],
    ['until: 5s\nunitl: 6s', ['s.yaml:2:1: unknown key "unitl": did you mean until?']],
    ['until: 5s\nhost:\n  dom0:\n    color: red', ['s.yaml:4:5: unknown key "color": host.dom0 may have memory, vcpus']],
    ['until: 5s\nhost: {memmory: 3}', ['s.yaml:2:8: unknown key "memmory": did you mean memory?']],
    ['until: 5s\nuntil: 6s', ['s.yaml:2:1: the same key stands here twice: keep one of them']],
    ['until: "5s', ['s.yaml:1:11: something that was opened is not closed: look for a missing quote, bracket or colon']],
    ['until: 5s\nseed: -1', ['s.yaml:2:7: seed is -1: write a whole number from 0 to 4294967295']],
    ['until: 5s\nseed: 1.5', ['s.yaml:2:7: seed is 1.5: write a whole number from 0 to 4294967295']],
    ['until: 5s\nhost:', ['s.yaml:2:6: host must be a map: a line "key: value" for each entry']],
    ['until: 5s\nhost: {memory: lots}', ['s.yaml:2:16: host.memory is "lots": write a number of MiB, or a size such as 2G']],
    [
      'until: 5s\nhost: {memory: 600}',
      ["s.yaml:2:16: dom0 is to have 640 MiB of a host's 600 MiB: give it less, or the host more"],
    ],
    [
      'until: 5s\nhost: {scheduler: bvt}',
      [`s.yaml:2:19: host.scheduler is "bvt": write 'credit2' or 'credit' or 'rtds' or 'arinc653' or 'null'`],
    ],
    [
      'until: 5s\nhost: {xen: {wallclock: 2009-02-30T12:00:00Z}}',
      ['s.yaml:2:25: host.xen.wallclock is "2009-02-30T12:00:00Z": write a date and a time of UTC, such as 2009-02-14T12:00:00Z'],
    ],
    ['until: 5s\nhost: {xen: {tsc_khz: 5}}', ['s.yaml:2:23: host.xen.tsc_khz is 5: write a whole number from 1000 to 10000000']],
    ['until: 5s\nhost: {xen_version: 4.17}', ["s.yaml:2:21: host.xen_version is 4.17: write '4.17'"]],
    [
      'until: 5s\nhost: {bridges: [{name: a, ip: 10.0.0, netmask: 255.0.255.0}]}',
      [
        's.yaml:2:32: ip in item 1 of host.bridges is "10.0.0": write an IPv4 address such as 10.0.0.1',
        's.yaml:2:49: netmask in item 1 of host.bridges is "255.0.255.0": write a netmask such as 255.255.255.0',
      ],
    ],
    [
      'until: 5s\nhost:\n  bridges:\n    - &b {name: a, ip: 10.0.0.1, netmask: 255.0.0.0}\n    - *b',
      ['s.yaml:5:7: there is a bridge a already: give this one another name'],
    ],
    [
      'until: 5s\nfiles:\n  /a: {}\n  /b: {disk: a, size: 3M}\n  /c: {disk: /a}\n  /d: builtin:windows\n  /e: {size: 100}\n  /f: {config: a, readonly: true}\n  g: {disk: a}',
      [
        's.yaml:3:7: files["/a"] does not say what the path means: add disk or size or config or builtin',
        's.yaml:4:7: files["/b"] has both disk and size: keep one of them',
        's.yaml:5:14: files["/c"].disk is "/a": write it relative to the scenario, so that both can move',
        's.yaml:6:7: files["/d"].builtin is "builtin:windows": write \'builtin:linux\'',
        's.yaml:7:14: files["/e"].size is 100: write a size with its unit, such as 64M or 2G',
        's.yaml:8:29: files["/f"].readonly belongs to a disk: take it out',
      ],
    ],
    ['until: 5s\nfiles: {g: {disk: a}}', ['s.yaml:2:9: "g" is a path in dom0: write it from / on']],
    ['until: 5s\ntimeline: {at: 5s}', ['s.yaml:2:11: timeline must be a list: a line "- ..." for each item']],
    [
      'until: 5s\ntimeline:\n  - {xl: list}\n  - {at: 1s}\n  - {at: 1s, after: 1s, xl: list}\n  - {at: 1s, xl: "list \'"}\n  - {at: 1s, console: {domain: a, text: x}, exit: 3}\n  - {at: 1s, xl: ""}',
      [
        's.yaml:3:5: item 1 of timeline does not say when: add at or after',
        's.yaml:4:5: item 2 of timeline does not say what happens: add xl or console',
        's.yaml:5:5: item 3 of timeline has both at and after: keep one of them',
        's.yaml:6:18: xl in item 4 of timeline is "list \'": a quoted word is not ended: add \'',
        's.yaml:7:51: exit in item 5 of timeline belongs to an xl command: take it out',
        's.yaml:8:18: xl in item 6 of timeline is "": write an xl command line, such as \'create /etc/xen/a.cfg\'',
      ],
    ],
    [
      'until: 5s\nworkloads:\n  a: [{program: cpu, every: 1s}, {program: ping}, {program: spin}, {percent: 5}]',
      [
        's.yaml:3:29: every in item 1 of workloads.a is nothing for the program cpu: take it out',
        's.yaml:3:34: item 2 of workloads.a does not say whom to ping: add address',
        "s.yaml:3:61: program in item 3 of workloads.a is \"spin\": write 'cpu' or 'disk' or 'ping'",
        "s.yaml:3:68: program in item 4 of workloads.a is missing: add it, 'cpu' or 'disk' or 'ping'",
      ],
    ],
    [
      'until: 5s\ntimeline:\n  - {at: 2s, xl: list}\n  - {at: 1s, xl: list}\n  - {at: 6s, xl: list}',
      [
        's.yaml:4:10: at is before the item above: write the items in the order of time',
        's.yaml:5:5: the run ends before this: let until be later, or take the item out',
      ],
    ],
  ])('%j', (text, errors) => {
    expect(errorsOf(text)).toEqual(errors);
  });
});

describe('a hostile text is an error', () => {
  const bomb = `a0: &a0 x\n${Array.from({ length: 12 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join('\n')}\n`;
  test.each([
    ['nested beyond the stack', '['.repeat(200_000)],
    ['nested maps', `${'{a: '.repeat(50_000)}1${'}'.repeat(50_000)}`],
    ['aliases of aliases', bomb],
    ['an own prototype', 'until: 5s\n__proto__: {until: 6s}'],
    ['two documents', 'until: 5s\n---\nuntil: 6s'],
    ['a tag', 'until: !!js/function "x"'],
    ['a NUL', 'until: \0'],
  ])('%s', (_, text) => {
    const parsed = parseScenario(text, 's.yaml');
    expect(parsed.ok).toBe(false);
  });
  test('whatever it is, the answer is a scenario or errors in the order of the text', () => {
    const line = fc.constantFrom(
      'until: 5s',
      'host:',
      '  dom0: {',
      'files: [',
      '- a',
      ' x: *y',
      '&y',
      '"',
      "'",
      '\t',
      'timeline:',
      '  - at: 1s',
      '    xl: list',
      '}',
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string({ unit: 'binary' }),
          fc.array(line).map((lines) => lines.join('\n')),
        ),
        (text) => {
          const parsed = parseScenario(text, 's.yaml');
          if (parsed.ok) return;
          expect(parsed.errors.length).toBeGreaterThan(0);
          const places = parsed.errors.map(({ line, column }) => line * 1e6 + column);
          expect(places).toEqual([...places].sort((a, b) => a - b));
        },
      ),
    );
  });
});
