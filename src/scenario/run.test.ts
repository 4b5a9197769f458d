import { describe, expect, test } from 'vitest';
import { bytesOf } from '../../events/bytes.ts';
import { parseScenario } from './parse.ts';
import { type Files, toRun } from './run.ts';
import { formatScenarioError } from './scenario.ts';

const text = `until: 9s
seed: 7
files:
  /d/a.img: {disk: a.img, readonly: true}
  /d/z.img: {size: 1M}
  /d/b.img: {disk: b.img}
  /boot/linux: builtin:linux
  /etc/xen/a.cfg: {config: a.cfg}
timeline:
  - {at: 1s, xl: create /etc/xen/a.cfg}
  - {at: 2s, xl: create /etc/xen/none.cfg, exit: 1}
  - {at: 3s, console: {domain: a, text: "ls\\n"}}
`;
const contents: Record<string, string> = { 'a.img': 'x'.repeat(1024), 'b.img': 'y'.repeat(512), 'a.cfg': 'name = "\xe9"\n' };
const filesOf = (all: Record<string, string>): Files => {
  const get = (file: string) =>
    all[file] === undefined
      ? ({ ok: false, message: `${file} is missing` } as const)
      : ({ ok: true, value: bytesOf(all[file]) } as const);
  return {
    read: get,
    size: (file) => {
      const got = get(file);
      return got.ok ? { ok: true, value: got.value.length } : got;
    },
  };
};
const run = (all: Record<string, string>, yaml = text) => {
  const parsed = parseScenario(yaml, 's.yaml');
  if (!parsed.ok) throw new Error(parsed.errors.map(formatScenarioError).join('\n'));
  return toRun(parsed.scenario, filesOf(all));
};

test('disks are numbered in the order of the text, sparse ones included', () => {
  const made = run(contents);
  if (!made.ok) throw new Error('refused');
  expect(made.run.seed).toBe(7);
  expect(made.run.until_ns).toBe(9e9);
  expect(made.run.config.files).toEqual([
    { path: '/d/a.img', kind: 'disk', image: 0, sectors: 2, readonly: true },
    { path: '/d/z.img', kind: 'disk', image: 1, sectors: 2048, readonly: false },
    { path: '/d/b.img', kind: 'disk', image: 2, sectors: 1, readonly: false },
    { path: '/boot/linux', kind: 'kernel', builtin: 'linux' },
  ]);
  expect(made.run.images).toEqual([
    { kind: 'file', path: '/d/a.img', sectors: 2, file: 'a.img' },
    { kind: 'zeros', path: '/d/z.img', sectors: 2048 },
    { kind: 'file', path: '/d/b.img', sectors: 1, file: 'b.img' },
  ]);
});

test('an input carries what its command reads, where dom0 has it', () => {
  const made = run(contents);
  if (!made.ok) throw new Error('refused');
  const domains: Record<string, number> = { a: 3 };
  expect(made.run.inputs.map((input) => [input.time, input.command((name) => domains[name])])).toEqual([
    [1e9, { type: 'xl.run', argv: ['create', '/etc/xen/a.cfg'], files: ['/etc/xen/a.cfg', 'name = "\xe9"\n'] }],
    [2e9, { type: 'xl.run', argv: ['create', '/etc/xen/none.cfg'], files: [] }],
    [3e9, { type: 'console.input', dom: 3, text: 'ls\n' }],
  ]);
  expect(made.run.inputs[2]!.command(() => undefined)).toBeUndefined();
});

test('a workload rides in the configuration of its domain', () => {
  const made = run({ ...contents, 'a.cfg': 'name = "w"' }, `${text}workloads:\n  w: [{program: cpu, percent: 30}]\n`);
  if (!made.ok) throw new Error('refused');
  expect(made.run.inputs[0]!.command(() => undefined)).toMatchObject({
    files: ['/etc/xen/a.cfg', 'name = "w"\nextra += " workload=cpu:30"\n'],
  });
  const nobody = run(contents, `${text}workloads:\n  w: [{program: cpu}]\n`);
  expect(nobody.ok ? [] : nobody.errors.map(formatScenarioError)).toEqual([
    's.yaml:14:3: no file in files configures a domain w: correct the name',
  ]);
});

describe('files that can not be used', () => {
  test('each is named where the scenario names it', () => {
    const made = run({ 'b.img': 'y'.repeat(700) });
    expect(made.ok ? [] : made.errors.map(formatScenarioError)).toEqual([
      's.yaml:4:3: a.img is missing',
      's.yaml:6:3: b.img has 700 bytes: a disk is one or more whole sectors of 512 bytes',
      's.yaml:8:3: a.cfg is missing',
    ]);
  });
  test('an empty file is no disk', () => {
    const made = run({ ...contents, 'a.img': '' });
    expect(made.ok ? [] : made.errors.map(({ message }) => message)).toEqual([
      'a.img has 0 bytes: a disk is one or more whole sectors of 512 bytes',
    ]);
  });
});
