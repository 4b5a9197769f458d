import { describe, expect, test } from 'vitest';
import type { Fact, Step } from '../../events/vocabulary.ts';
import { Host } from '../../src/host.ts';
import { defaultHost } from '../../src/host-config.ts';
import { Screen } from './screen.ts';

function screen() {
  const shown = { out: '', err: '' };
  const host = new Host({ config: defaultHost, seed: 1 });
  const made = new Screen({
    host,
    out: (text) => {
      shown.out += text;
    },
    err: (text) => {
      shown.err += text;
    },
  });
  const see = (time: number, event: Fact, origin = 'test'): void =>
    made.see({
      seq: 0,
      time,
      origin,
      cause: null,
      command: { type: 'host.end' },
      reads: [],
      outcome: { ok: true, value: {}, events: [event] },
    } satisfies Step);
  return { shown, see };
}
const started = (job: number, ...argv: string[]): Fact => ({ type: 'xl.job_started', job, argv, files: [] });
const printed = (text: string, stream: 'stdout' | 'stderr' = 'stdout'): Fact => ({ type: 'xl.printed', job: 1, stream, text });
const output = (dom: number, text: string): Fact => ({ type: 'console.output', dom, text });
const created = (domid: number): Fact => ({
  type: 'domain.created',
  domid,
  ssidref: 0,
  handle: '',
  max_vcpus: 1,
  max_evtchn_port: -1,
  max_grant_frames: 4,
  max_maptrack_frames: 4,
  hvm: false,
  shared_info_mfn: 9,
  pool: 0,
});

test('a command with its output', () => {
  const { shown, see } = screen();
  see(1_500_000_000, started(1, 'list'));
  see(1_500_000_000, printed('Name\n'));
  see(1_500_000_000, printed('xl: no\n', 'stderr'));
  expect(shown).toEqual({ out: '[   1.500s] dom0# xl list\nName\n', err: 'xl: no\n' });
});

describe('a console', () => {
  test('is shown from create -c on, as text with plain line ends', () => {
    const { shown, see } = screen();
    see(0, started(1, 'create', '-c', '/a'));
    see(0, created(3), 'xl.1');
    see(2e9, output(3, 'l\xc3\xa9\r\nlogin: '));
    expect(shown.out).toBe('[   0.000s] dom0# xl create -c /a\n[   2.000s] the console of domain 3\nlé\nlogin: ');
  });
  test('starts a new line, and says so, when somebody else has spoken in between', () => {
    const { shown, see } = screen();
    see(0, started(1, 'create', '/a', '-c'));
    see(0, created(3), 'xl.1');
    see(0, output(3, 'login: '));
    see(1e9, started(2, 'list'));
    see(2e9, output(3, 'x'));
    expect(shown.out.split('\n').slice(-4)).toEqual([
      'login: ',
      '[   1.000s] dom0# xl list',
      '[   2.000s] the console of domain 3',
      'x',
    ]);
  });
  test.each([
    ['create without -c', [started(1, 'create', '/a')], 'xl.1'],
    ['a domain that another job has made', [started(1, 'create', '-c', '/a')], 'xl.2'],
  ])('is not shown for %s', (_, before, origin) => {
    const { shown, see } = screen();
    for (const event of before) see(0, event);
    see(0, created(3), origin);
    see(0, output(3, 'secret'));
    expect(shown.out).not.toContain('secret');
  });
  test('is shown after xl console, and no more when its id is used again', () => {
    const { shown, see } = screen();
    see(0, started(1, 'console', '3'));
    see(0, output(3, 'one'));
    see(0, { type: 'domain.destroyed', domid: 3 });
    see(0, output(3, 'two'));
    expect(shown.out).toContain('one');
    expect(shown.out).not.toContain('two');
  });
});
