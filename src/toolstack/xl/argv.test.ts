import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseArgv } from './argv.ts';
import { commands, otherCommands } from './commands.ts';

const parse = (line: string) => parseArgv(line.split(' ').filter((word) => word !== ''));
const invocation = (line: string) => {
  const parsed = parse(line);
  return parsed.ok ? parsed.invocation : undefined;
};

describe('what a command line asks for', () => {
  test.each([
    ['xl create a.cfg', 'create', [], ['a.cfg']],
    ['xm create a.cfg', 'create', [], ['a.cfg']],
    ['create -c a.cfg', 'create', ['c'], ['a.cfg']],
    ['create a.cfg -c', 'create', ['c'], ['a.cfg']],
    ['create -pc a.cfg memory=64', 'create', ['p', 'c'], ['a.cfg', 'memory=64']],
    ['create --quiet --dryrun a.cfg', 'create', ['q', 'n'], ['a.cfg']],
    ['create --dry a.cfg', 'create', ['n'], ['a.cfg']],
    ['create -- -c', 'create', [], ['-c']],
    ['cre a.cfg', 'create', [], ['a.cfg']],
    ['lis', 'list', [], []],
    ['shutdown -aw', 'shutdown', ['a', 'w'], []],
    ['-vvv list', 'list', [], []],
    ['-v -f list', 'list', [], []],
    ['pause a b', 'pause', [], ['a', 'b']],
  ])('%s', (line, command, options, words) => {
    expect(invocation(line)).toEqual({ command, options, words, values: {}, dryRun: false });
  });

  test.each([
    ['create -f a.cfg', { f: 'a.cfg' }],
    ['create -qfa.cfg', { f: 'a.cfg' }],
    ['create --defconfig=a.cfg', { f: 'a.cfg' }],
    ['create --defconfig a.cfg', { f: 'a.cfg' }],
    ['console -n 1 -t pv a', { n: '1', t: 'pv' }],
  ])('values: %s', (line, values) => {
    expect(invocation(line)?.values).toEqual(values);
  });

  test('a dry run', () => {
    expect(invocation('-N create a.cfg')?.dryRun).toBe(true);
  });
});

describe('what is none', () => {
  test.each([
    ['', 1, 'stdout'],
    ['nosuch', 1, 'stderr'],
    ['l', 1, 'stderr'],
    ['migrate a b', 1, 'stderr'],
    ['-x list', 1, 'stderr'],
    ['-N list', 1, 'stderr'],
    ['pause', 2, 'both'],
    ['rename a', 2, 'both'],
    ['list -x', 2, 'stderr'],
    ['list --bogus', 2, 'stderr'],
    ['list --verbose=1', 2, 'stderr'],
    ['create -f', 2, 'stderr'],
    ['help', 0, 'stdout'],
    ['help create', 0, 'stdout'],
    ['help nosuch', 1, 'stderr'],
    ['create -h', 0, 'stdout'],
    ['pause --help', 0, 'stdout'],
  ])('%s ends with %i', (line, rc, where) => {
    const parsed = parse(line);
    expect(parsed).toMatchObject({ ok: false, rc });
    if (parsed.ok) return;
    expect([parsed.stdout !== '', parsed.stderr !== '']).toEqual([where !== 'stderr', where !== 'stdout']);
    if (parsed.stderr !== '') expect(parsed.stderr).toMatch(/^xl: [^\n]+\n$/);
  });
});

test('every command that is possible says how, and none twice', () => {
  const names = [...commands.map(({ name }) => name), ...otherCommands];
  expect(new Set(names).size).toBe(names.length);
  for (const { name, options } of commands) {
    const help = parse(`help ${name}`);
    for (const { short } of options) expect(help).toMatchObject({ stdout: expect.stringContaining(`-${short}`) });
  }
});

test('any words are read without an exception, and what is wrong ends with a code above 0', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('create', 'list', '-f', '--', '-', '-c', '--defconfig=', 'help', 'xl', '-N'),
  );
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), (argv) => {
      const parsed = parseArgv(argv);
      if (!parsed.ok && parsed.rc === 0) expect(parsed.stderr).toBe('');
      if (!parsed.ok && parsed.rc > 0) expect(parsed.stdout + parsed.stderr).not.toBe('');
    }),
  );
});
