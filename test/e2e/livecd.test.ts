// The Live CD's minute by the program itself: recorded, replayed, asked.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Ended, livecd, scratchDirectory, xenolog } from './program.ts';

const directory = scratchDirectory();
const log = join(directory, 'a.xlog');
let ran: Ended;
beforeAll(() => {
  ran = xenolog('run', livecd, '-o', log);
});

describe('run', () => {
  test('shows what an operator would see', () => {
    expect(ran.status).toBe(0);
    const shown = ran.stdout;
    for (const line of [
      '[   1.000s] dom0# xl create /etc/xen/server01.cfg',
      'Debian GNU/Linux 5.0 server02 hvc0',
      'server02 login: livexen',
      'livexen@server02:~$ uname -a',
      '64+0 records in',
      '3 packets transmitted, 3 received, 0% packet loss',
      '[  45.000s] dom0# xl list',
      'At the end, 60s after the host has booted:',
    ])
      expect(shown).toContain(line);
    expect(shown.split('Password: ')[1]).not.toMatch(/^live/); // it is not echoed
    // The consoles of the others were not opened.
    expect(shown).not.toContain('client01 login');
  });
  test('lists the domains as they come and go', () => {
    const tables = ran.stdout.split(/^Name .*$/m).slice(1);
    const names = tables.map((table) => [...table.matchAll(/^(\S+) +\d+ +\d+ +\d+ /gm)].map(([, name]) => name));
    expect(names).toEqual([
      ['Domain-0', 'server01', 'client01'],
      ['Domain-0', 'server01', 'client01', 'server02'],
      ['Domain-0', 'server02'],
      ['Domain-0', 'server02'],
    ]);
  });
  test('writes the same file in another process', () => {
    const again = join(directory, 'b.xlog');
    expect(xenolog('run', livecd, '-o', again, '--quiet').status).toBe(0);
    expect(readFileSync(again).equals(readFileSync(log))).toBe(true);
  });
  test('keeps no path of this machine in the log', () => {
    expect(readFileSync(log, 'latin1')).not.toContain(directory);
    expect(readFileSync(log, 'latin1')).not.toContain('examples/livecd');
  });
});

describe('replay', () => {
  test.each(['--fold', '--verify', '--follow', '--reenact'])('%s agrees', (way) => {
    const { status, stdout } = xenolog('replay', log, way);
    expect(stdout).toMatch(/^\w+ +same: .*\n$/);
    expect(status).toBe(0);
  });
  test('--json says so for programs, of all four', () => {
    const verdicts = JSON.parse(xenolog('replay', log, '--json').stdout);
    expect(verdicts.closed).toBe(true);
    expect(verdicts.replays.map((one: { replay: string; same: boolean }) => [one.replay, one.same])).toEqual([
      ['fold', true],
      ['verify', true],
      ['follow', true],
      ['reenact', true],
    ]);
  });
  test.each(['--fold', '--verify', '--follow', '--reenact'])('%s names the block with a changed byte', (way) => {
    const damaged = join(directory, 'damaged.xlog');
    const bytes = readFileSync(log);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(damaged, bytes);
    const { status, stderr } = xenolog('replay', damaged, way);
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /^xenolog: block \d+ \(from step \d+\) is damaged: .* \(.*damaged\.xlog\): take another copy of the log\n$/,
    );
  });
  test('a log that was cut is replayed up to there', () => {
    const cut = join(directory, 'cut.xlog');
    writeFileSync(cut, readFileSync(log).subarray(0, -10));
    const { status, stdout, stderr } = xenolog('replay', cut);
    expect(status).toBe(0);
    expect(stderr).toMatch(
      /^xenolog: the log is cut off in block \d+: \d+ bytes are left out, it stops after step \d+ \(.*\): going on/,
    );
    expect(stdout.match(/same/g)?.length).toBeGreaterThanOrEqual(4);
  });
});

describe('questions', () => {
  test('XenStore at 20 s', () => {
    const { status, stdout } = xenolog('inspect', log, '--at', '20s', '--xenstore', '/local/domain');
    expect(status).toBe(0);
    for (const line of [
      '/local/domain/3/name = "server02"   (n0,r3)',
      '/local/domain/2/name = "client01"   (n0,r2)',
      '/local/domain/3/device/vbd/51712/state = "4"   (n3,r0)',
    ])
      expect(stdout).toContain(line);
    const before = xenolog('inspect', log, '--at', '10s', '--xenstore', '/local/domain').stdout;
    expect(before).not.toContain('server02');
  });
  test('the host as a whole, for people and for programs', () => {
    const { stdout } = xenolog('inspect', log, '--at', '20s');
    expect(stdout).toMatch(/^At 20s, before step \d+\n\nName /);
    expect(stdout).toMatch(/^ +d3\.vbd\.51712 +blkfront +Connected$/m);
    const host = JSON.parse(xenolog('inspect', log, '--at', '20s', '--json').stdout);
    expect(host.time_ns).toBe(20e9);
    expect(host.domains.map(({ name }: { name: string }) => name)).toEqual(['Domain-0', 'server01', 'client01', 'server02']);
  });
  test('one domain, one actor, one table, one page', () => {
    expect(xenolog('inspect', log, '--at', '20s', '--domain', 'server02').stdout).toMatch(
      /^domain 3 "server02"\n {2}state +alive\n/,
    );
    expect(xenolog('inspect', log, '--at', '20s', '--actor', 'd3.vbd.51712').stdout).toMatch(
      /^d3\.vbd\.51712: blkfront, Connected\n/,
    );
    expect(xenolog('inspect', log, '--at', '20s', '--table', 'gref').stdout).toMatch(/^\d+ rows of gref/);
    // The start info page begins with the hypervisor's version (public/xen.h, struct start_info).
    const built = JSON.parse(xenolog('events', log, '--type', 'guest.image_built', '--dom', '3', '--json').stdout);
    const page = xenolog('inspect', log, '--at', '20s', '--memory', `3:${built.fact.start_info_gfn}`).stdout;
    expect(page).toMatch(/^00000000 {2}78 65 6e 2d .*\|xen-/);
  });
  test('why leads from a finished block request to what was typed', () => {
    const completed = xenolog('events', log, '--type', 'vbd.request_completed', '--dom', '3').stdout.trim().split('\n');
    const seq = /^#(\d+) /.exec(completed.at(-1)!)![1]!;
    const { status, stdout } = xenolog('why', log, seq);
    expect(status).toBe(0);
    const chain = stdout.trim().split('\n');
    expect(chain[0]).toMatch(/vbd\.note_completed/);
    expect(chain.at(-1)).toMatch(/^because of #\d+ 35s operator: console\.input .*dd if=/);
  });
  test('why leads from a boot read to xl create', () => {
    const [first] = xenolog('events', log, '--type', 'vbd.request_completed', '--dom', '1', '--limit', '1').stdout.split('\n');
    const chain = xenolog('why', log, /^#(\d+) /.exec(first!)![1]!)
      .stdout.trim()
      .split('\n');
    expect(chain.at(-1)).toMatch(/operator: xl\.run .*server01\.cfg/);
  });
  test('events by type, domain and place, for people and for programs', () => {
    const lines = xenolog('events', log, '--type', 'evtchn.*', '--dom', '1', '--limit', '5').stdout.trim().split('\n');
    expect(lines).toHaveLength(5);
    for (const line of lines) expect(line).toMatch(/^#\d+ [\d.]+s \S+: evtchn\.\w+ \{.*\}( -> \w+)?$/);
    const some = xenolog('events', log, '--from', '10', '--to', '12', '--json')
      .stdout.trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(some.every(({ seq }) => seq >= 10 && seq <= 12)).toBe(true);
  });
  test('xl as it would have answered', () => {
    const names = (at: string) =>
      [...xenolog('xl', '--run', log, '--at', at, 'list').stdout.matchAll(/^(\w\S*) +\d/gm)].map(([, name]) => name);
    expect(names('10s')).toEqual(['Domain-0', 'server01', 'client01']);
    expect(names('20s')).toEqual(['Domain-0', 'server01', 'client01', 'server02']);
    expect(xenolog('xl', '--run', log, '--at', '20s', 'domid', 'server02')).toMatchObject({ status: 0, stdout: '3\n' });
    expect(xenolog('xl', '--run', log, '--at', '20s', 'list', 'nobody').status).toBe(1);
    const text = xenolog('xl', '--run', log, '--at', '20s', 'console', 'client01').stdout;
    expect(text).toContain('client01 login: ');
    expect(xenolog('xl', '--run', log, '--at', '2.1s', 'console', 'client01').stdout).not.toContain('login');
  });
});

test('a tour: the run, the four replays, and what to try next', () => {
  const path = join(directory, 'tour.xlog');
  const { status, stdout } = xenolog('run', livecd, '-o', path, '--tour');
  expect(status).toBe(0);
  expect(stdout).toMatch(/\n {2}fold +same.*\n {2}verify +same.*\n {2}follow +same.*\n {2}reenact +same.*\nThey agree\.\n/);
  // What it says to try does work.
  const commands = [...stdout.matchAll(/^ {2}npx xenolog (.*?) {2,}|^ {2}npx xenolog (inspect \S+ --at 20s --xenstore \S+) /gm)];
  expect(commands.length).toBe(5);
  for (const [, command, other] of commands) {
    const args = (command ?? other)!.replaceAll("'", '').split(' ');
    expect([args.join(' '), xenolog(...args).status]).toEqual([args.join(' '), 0]);
  }
});
