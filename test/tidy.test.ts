// The rules of the house that no compiler checks: who may import whom, and what pure code may not touch.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
// What git knows and what it could come to know: everything that is not ignored.
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '');
const sources = files
  .filter((file) => /\.ts$/.test(file) && !file.endsWith('.d.ts'))
  .flatMap((file) => {
    try {
      return [{ file, text: readFileSync(join(root, file), 'utf8') }];
    } catch {
      return []; // removed, and not yet committed
    }
  });

/** The floors, from the ground up, and within two of them the rooms: imports only go down, or stay in the same room. */
const floors = ['events', 'src', 'machines', 'replay', 'index.ts', 'tools', 'adapters', ['test', 'bench', 'scripts', 'examples']];
const rooms = [
  ['src/tables', 'src/memory', 'src/abi', 'src/prng.ts', 'src/host-config.ts'],
  'src/core',
  'src/hypercall',
  'src/guest',
  'src/xenstore',
  ['src/storage', 'src/net'],
  'src/xenbus',
  'src/toolstack',
  ['src/host.ts', 'src/host.test.ts', 'src/invariants.ts'],
  ['src/views', 'src/scenario'],
];
/** p2m knows nobody; a timer raises an event channel, so timers stand above those. */
const core = [
  'p2m',
  'sched',
  'vcpu',
  'evtchn',
  'console',
  'physdev',
  'mm',
  'timer',
  'time',
  'gnttab',
  'domain',
  'control',
  'hvm',
  'platform',
  'trace',
].map((name) => `src/core/${name}`);

/** What stands together has one height. */
const heightIn = (order: readonly (string | readonly string[])[], file: string): number =>
  order.findIndex((level) => [level].flat().some((place) => file === place || file.startsWith(`${place}/`)));

const importsOf = (text: string): string[] =>
  [...text.matchAll(/^\s*(?:import|export)\b[^'";]*?from '([^']+)'|^import '([^']+)'|\bimport\('([^']+)'\)/gm)].map(
    (match) => match[1] ?? match[2] ?? match[3]!,
  );
const isTest = (file: string): boolean => file.endsWith('.test.ts');
const isPure = (file: string): boolean => /^(events|src|machines|replay|tools)\//.test(file) || file === 'index.ts';
const pure = sources.filter(({ file }) => isPure(file) && !isTest(file));

describe('imports go down', () => {
  const climbs = (order: readonly (string | readonly string[])[]): string[] =>
    sources
      // Tests and invariants look at everything.
      .filter(({ file }) => !isTest(file) && !(order === core && file.endsWith('/invariants.ts')))
      .flatMap(({ file, text }) => {
        const from = heightIn(order, file);
        if (from < 0) return [];
        const relative = importsOf(text).filter((name) => name.startsWith('.'));
        return relative
          .map((name) => normalize(join(dirname(file), name)))
          .filter((target) => heightIn(order, target) > from)
          .map((target) => `${file} imports ${target}`);
      });
  test.each([
    ['from floor to floor', floors],
    ['within src', rooms],
    ['within core', core],
  ])('%s', (_, order) => {
    expect(climbs(order)).toEqual([]);
  });
  test('every source stands on a floor, and every part of src in a room', () => {
    const homeless = sources
      .map(({ file }) => file)
      .filter((file) => heightIn(floors, file) < 0 || (file.startsWith('src/') && heightIn(rooms, file) < 0));
    expect(homeless.filter((file) => file !== 'vitest.config.ts')).toEqual([]);
  });
  test('an import of our own names the file', () => {
    const vague = sources.flatMap(({ file, text }) =>
      importsOf(text)
        .filter((name) => name.startsWith('.') && !/\.(ts|json)$/.test(name))
        .map((name) => `${file} imports ${name}`),
    );
    expect(vague).toEqual([]);
  });
});

describe('pure code', () => {
  /** Comments and strings may name what code may not use. */
  const codeOf = (text: string): string =>
    text
      .replace(/\/\*[\s\S]*?\*\//g, '')
      .replace(/(^|[^:'"`\\])\/\/.*$/gm, '$1')
      .replace(/'(?:[^'\\\n]|\\.)*'/g, "''");
  const hits = (expression: RegExp, among = pure): string[] =>
    among.flatMap(({ file, text }) =>
      codeOf(text)
        .split('\n')
        .flatMap((line) => (expression.test(line) ? [`${file}: ${line.trim()}`] : [])),
    );

  test('does not import Node', () => {
    expect(
      pure.flatMap(({ file, text }) =>
        importsOf(text)
          .filter((name) => name.startsWith('node:'))
          .map((name) => `${file}: ${name}`),
      ),
    ).toEqual([]);
  });
  test.each([
    ['chance', /\bMath\.random\b|\bcrypto\./],
    ['the wall clock', /\bDate\b|\bperformance\b/],
    ['the locale', /\blocaleCompare\b|\bIntl\b|\btoLocale\w+\b/],
    ['the event loop', /\bset(Timeout|Interval|Immediate)\s*\(\s*[^)]|\bqueueMicrotask\b|\bPromise\b|\basync\b|\bawait\b/],
    ['the process', /\bprocess\.|\bconsole\.(log|error|warn)|\bfetch\(/],
  ])('does not know %s', (_, expression) => {
    expect(hits(expression)).toEqual([]);
  });
  test('floors below machines know neither XState nor RxJS', () => {
    const low = pure.filter(({ file }) => /^(events|src)\//.test(file));
    expect(
      low.flatMap(({ file, text }) =>
        importsOf(text)
          .filter((name) => /^(xstate|rxjs)/.test(name))
          .map((name) => `${file}: ${name}`),
      ),
    ).toEqual([]);
  });
  test('only our own bugs are thrown', () => {
    const allowed = /throw (new (HypervisorBug|LogError)\b|damaged\(|error\b|outOf)/;
    const thrown = hits(
      /\bthrow\b/,
      pure.filter(({ file }) => /^(events|src)\//.test(file)),
    );
    expect(thrown.filter((line) => !allowed.test(line))).toEqual([]);
  });

  test('no rule is switched off', () => {
    expect(hits(/\bas any\b/, sources)).toEqual([]);
    const comments = sources.filter(({ file, text }) => file !== 'test/tidy.test.ts' && /@ts-(ignore|nocheck)/.test(text));
    expect(comments.map(({ file }) => file)).toEqual([]);
  });
  test('no test is left out or alone', () => {
    const tests = sources.filter(({ file }) => isTest(file) && file !== 'test/tidy.test.ts');
    expect(hits(/\b(test|it|describe)\.(only|todo|skip)\(/, tests)).toEqual([]);
  });
});

describe('files', () => {
  const LONGEST = 600;
  test('are small', () => {
    const long = sources
      .map(({ file, text }) => ({ file, lines: text.split('\n').length }))
      .filter(({ lines }) => lines > LONGEST);
    expect(long).toEqual([]);
  });
  test('have names in kebab-case', () => {
    const conventional = /^(README|CHANGELOG|LICENSE|ARCHITECTURE)(\.md)?$/;
    const odd = files.filter((file) => {
      const name = file.split('/').at(-1)!;
      return !conventional.test(name) && !/^\.?[a-z0-9]+([-.][a-z0-9]+)*$/.test(name);
    });
    expect(odd).toEqual([]);
  });
  test('that are binary are at most 1 MiB', () => {
    const heavy = files.filter((file) => {
      try {
        return readFileSync(join(root, file)).length > 1 << 20;
      } catch {
        return false;
      }
    });
    expect(heavy).toEqual([]);
  });
});
