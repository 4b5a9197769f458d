// The program's edges: what goes wrong is said in one line, with what to do and a status; nothing else is touched.
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { crc32 } from '../../events/bytes.ts';
import { main, root, scratchDirectory, xenolog } from './program.ts';

const directory = scratchDirectory();
const at = (name: string): string => join(directory, name);
const write = (name: string, text: string | Uint8Array): string => {
  writeFileSync(at(name), text);
  return at(name);
};
copyFileSync(join(root, 'examples/livecd/server.img'), at('server.img'));

/** A host with one configuration file, `a.cfg`, that is created at 1 s. */
const scenarioOf = (extra = '', create = 'create /a.cfg'): string => `files:
  /d/server.img: { disk: server.img, readonly: true }
  /a.cfg: { config: a.cfg }
timeline:
  - { at: 1s, xl: ${create} }
${extra}until: 3s
`;
const config = (lines = ''): string =>
  `name = "a"\nmemory = 80\nbootloader = "pygrub"\ndisk = [ 'file:/d/server.img,xvda,r' ]\n${lines}`;

/** The lines on stderr, which are all of them from xenolog or from xl. */
const complaints = (stderr: string): string[] => stderr.replaceAll(directory, 'DIR').trim().split('\n');

const log = at('good.xlog');
beforeAll(() => {
  write('a.cfg', config());
  write('good.yaml', scenarioOf());
  expect(xenolog('run', at('good.yaml'), '-o', log, '--quiet').status).toBe(0);
});

describe('a scenario that can not be played', () => {
  test.each<[string, string, string[]]>([
    ['unknown key', 'until: 1s\nhots: {}\n', ['xenolog: DIR/s.yaml:2:1: unknown key "hots": did you mean host?']],
    [
      'wrong types',
      'until: soon\nseed: yes\n',
      [
        'xenolog: DIR/s.yaml:1:8: until is "soon": write a number with its unit, such as 5s, 200ms or 1m30s',
        'xenolog: DIR/s.yaml:2:7: seed is "yes": write a whole number from 0 to 4294967295',
      ],
    ],
    [
      'missing disk',
      'until: 1s\nfiles:\n  /d: {disk: no.img}\n',
      ['xenolog: DIR/s.yaml:3:3: can not open the disk: there is no such file or directory (DIR/no.img): correct the path'],
    ],
    [
      'odd disk',
      'until: 1s\nfiles:\n  /d: {disk: odd.img}\n',
      ['xenolog: DIR/s.yaml:3:3: odd.img has 700 bytes: a disk is one or more whole sectors of 512 bytes'],
    ],
    [
      'missing configuration',
      'until: 1s\nfiles:\n  /c: {config: no.cfg}\n',
      ['xenolog: DIR/s.yaml:3:3: can not read the file: there is no such file or directory (DIR/no.cfg): correct the path'],
    ],
  ])('%s', (_, text, expected) => {
    write('odd.img', new Uint8Array(700));
    const { status, stdout, stderr } = xenolog('run', write('s.yaml', text), '-o', at('none.xlog'));
    expect(complaints(stderr)).toEqual(expected);
    expect([status, stdout]).toEqual([1, '']);
    expect(existsSync(at('none.xlog'))).toBe(false);
  });
  test('no such scenario', () => {
    const { status, stderr } = xenolog('run', at('no.yaml'));
    expect(complaints(stderr)).toEqual([
      'xenolog: can not read the scenario: there is no such file or directory (DIR/no.yaml): correct the path',
    ]);
    expect(status).toBe(1);
  });
  test('typing at the console of a domain that is not there: the log is good up to then', () => {
    const text = scenarioOf('  - { at: 2s, console: { domain: b, text: "x" } }\n');
    const { status, stderr } = xenolog('run', write('s.yaml', text), '-o', at('typed.xlog'), '--quiet');
    expect(complaints(stderr)).toEqual([
      'xenolog: DIR/s.yaml:6:5: there is no domain b at that time: create it earlier, or correct the name',
    ]);
    expect(status).toBe(1);
    expect(xenolog('replay', at('typed.xlog'), '--reenact').status).toBe(0);
  });
});

describe('a configuration that xl refuses: said by xl in one line, and the host stays as it was', () => {
  test.each<[string, string, RegExp]>([
    ['unterminated string', 'name = "a\n', /^xl: .*a\.cfg:1: /],
    ['bad disk specification', config().replace('xvda,r', 'xvda,q'), /^xl: .*a\.cfg/],
    ['no such disk', config().replace('/d/server.img', '/d/no.img'), /^xl: .*\/d\/no\.img/],
    ['no such bridge', config("vif = [ 'bridge=nobr0' ]\n"), /^xl: .*nobr0/],
    ['not enough memory', config('memory = 4096\n'), /^xl: .*memory/i],
    ['no such kernel', 'name = "a"\nmemory = 80\nkernel = "/no"\n', /^xl: .*\/no/],
  ])('%s', (_, text, message) => {
    write('a.cfg', text);
    const path = at('refused.xlog');
    const { status, stderr } = xenolog('run', write('s.yaml', scenarioOf('  - { at: 2s, xl: list }\n')), '-o', path);
    const lines = complaints(stderr).filter((line) => !line.startsWith('Reading '));
    expect(lines[0]).toMatch(message);
    expect(lines.slice(1)).toEqual([
      expect.stringMatching(
        /^xenolog: DIR\/s\.yaml:5:5: xl create \/a\.cfg exited with \d+, not with 0: see what it said, or write exit: \d+ where that is meant$/,
      ),
    ]);
    expect(status).toBe(1);
    const list = xenolog('xl', '--run', path, '--at', '2s', 'list').stdout;
    expect([...list.matchAll(/^(\S+) +\d/gm)].map(([, name]) => name)).toEqual(['Domain-0']);
    expect(xenolog('replay', path, '--verify').status).toBe(0);
  });
  test('a name that is taken, where the scenario means it', () => {
    write('a.cfg', config());
    const text = (exit: string) => scenarioOf(`  - { at: 2s, xl: create /a.cfg${exit} }\n`);
    expect(xenolog('run', write('s.yaml', text('')), '--quiet').status).toBe(1);
    expect(xenolog('run', write('s.yaml', text(', exit: 3')), '--quiet')).toMatchObject({ status: 0, stderr: '' });
  });
  test('a file that dom0 does not have', () => {
    write('a.cfg', config());
    const { status, stderr } = xenolog('run', write('s.yaml', scenarioOf('', 'create /b.cfg')));
    expect(complaints(stderr)[0]).toMatch(/^xl: \/b\.cfg does not exist: /);
    expect(status).toBe(1);
  });
});

describe('a log that can not be used: status 2', () => {
  const good = (): Buffer => readFileSync(log);
  /** The header of another format: magic, format, length and CRC, then JSON. */
  const newer = (bytes: Buffer): Buffer => {
    bytes.writeUInt32LE(99, 8);
    const json = bytes.subarray(20, 20 + bytes.readUInt32LE(12));
    bytes.writeUInt32LE(crc32(Buffer.concat([bytes.subarray(0, 16), json])), 16);
    return bytes;
  };
  const changed = (change: (bytes: Buffer) => Uint8Array): Uint8Array => change(good());
  test.each<[string, () => Uint8Array, string]>([
    ['something else', () => Buffer.from('hello'), 'xenolog: not a Xenolog run (DIR/bad.xlog): it does not start with "XENOLOG"'],
    ['nothing', () => Buffer.alloc(0), 'xenolog: not a Xenolog run'],
    ['a cut header', () => good().subarray(0, 100), 'xenolog: the header is cut off'],
    ['a changed header', () => changed((bytes) => bytes.fill(bytes[40]! ^ 1, 40, 41)), 'xenolog: the header is damaged'],
    [
      'a newer version',
      () => newer(good()),
      'xenolog: the log has format 99; this xenolog reads up to 2 (DIR/bad.xlog): use a newer xenolog',
    ],
    ['something after its end', () => Buffer.concat([good(), Buffer.from('x')]), 'xenolog: 1 bytes follow the end of the log'],
  ])('%s', (_, bytes, message) => {
    const path = write('bad.xlog', bytes());
    for (const args of [
      ['replay', path],
      ['events', path],
      ['inspect', path],
      ['why', path, '1'],
      ['xl', '--run', path, 'list'],
    ]) {
      const { status, stdout, stderr } = xenolog(...args);
      expect([args[0], status, stdout]).toEqual([args[0], 2, '']);
      expect(complaints(stderr)).toEqual([expect.stringContaining(message)]);
    }
  });
  test('none at all', () => {
    const { status, stderr } = xenolog('replay', at('no.xlog'));
    expect(complaints(stderr)).toEqual([
      'xenolog: can not read the log: there is no such file or directory (DIR/no.xlog): correct the path',
    ]);
    expect(status).toBe(2);
  });
});

describe('a question that makes no sense', () => {
  test.each<[string[], string]>([
    [['inspect', '--at', '999999999'], 'xenolog: the log has no such step (step 999999999): it has the steps 0 to '],
    [
      ['events', '--type', 'evtchn.opened'],
      "xenolog: no such type (--type evtchn.opened): write one as the lines show it, with * for any characters: 'evtchn.*'",
    ],
    [['inspect', '--at', 'noon'], 'xenolog: no such moment (--at noon): write the number of a step, or a time such as 20s'],
    [['inspect', '--domain', '77'], 'xenolog: no such domain at that moment (--domain 77): there are 0, 1'],
    [['inspect', '--actor', 'd77'], 'xenolog: no such actor at that moment (--actor d77): '],
    [['inspect', '--table', 'tea'], 'xenolog: no such table (--table tea): take one of '],
    [['inspect', '--xenstore', '/no'], 'xenolog: no such node at that moment (--xenstore /no): '],
    [['inspect', '--memory', 'x'], 'xenolog: not a page (--memory x): write DOMAIN:GFN, such as 1:0x20'],
    [['inspect', '--memory', '1:0xffffff'], 'xenolog: no such page at that moment (--memory 1:0xffffff): '],
    [['why', '999999999'], 'xenolog: the log has no such step (step 999999999): '],
    [['why', 'x'], 'xenolog: not the number of a step (why x): '],
    [['events', '--limit', '-1'], 'xenolog: not a number (--limit -1): '],
    [['xl', 'destroy', 'a'], 'xenolog: xl destroy can not be asked of a run ('],
    [['xl', 'console', 'nobody'], 'xenolog: no such domain at that moment (nobody): '],
  ])('%j', ([command, ...words], message) => {
    const place = command === 'xl' ? ['--run', log] : [log];
    const { status, stdout, stderr } = xenolog(command!, ...place, ...words);
    expect(complaints(stderr)).toEqual([expect.stringContaining(message)]);
    // What no run could answer is another status than what this one can not.
    expect([status, stdout]).toEqual([/not a|moment \(--at|not the number|can not be asked/.test(message) ? 2 : 1, '']);
  });
});

describe('the command line', () => {
  test.each<[string[], RegExp]>([
    [['rnu'], /^xenolog: unknown command 'rnu' \(command line\): Did you mean run\?\n$/],
    [['run'], /^xenolog: missing required argument 'scenario' \(command line\): see xenolog --help\n$/],
    [['replay', 'x', '--flod'], /^xenolog: unknown option '--flod' \(command line\): Did you mean --fold\?\n$/],
    [['xl', 'list'], /^xenolog: required option '--run <run>' not specified \(command line\): see xenolog --help\n$/],
  ])('%j', (args, message) => {
    const { status, stdout, stderr } = xenolog(...args);
    expect(stderr).toMatch(message);
    expect([status, stdout]).toEqual([2, '']);
  });
  test('a tour needs a log, a time its unit', () => {
    expect(complaints(xenolog('run', at('good.yaml'), '--tour').stderr)).toEqual([
      'xenolog: a tour replays the log of the run (--tour): add -o FILE, where the log may go',
    ]);
    expect(complaints(xenolog('run', at('good.yaml'), '--until', '9').stderr)).toEqual([
      'xenolog: not a time (--until 9): write a number with its unit, such as 60s or 1m30s',
    ]);
  });
  test('a place where nothing can be written', () => {
    write('a.cfg', config());
    const { status, stderr } = xenolog('run', at('good.yaml'), '-o', at('no/dir.xlog'));
    expect(complaints(stderr)).toEqual([
      'xenolog: can not write the log: there is no such file or directory (DIR/no/dir.xlog): correct the path',
    ]);
    expect(status).toBe(1);
  });
  test('--version and --help; each command has examples', () => {
    expect(xenolog('--version').stdout).toBe(`${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}\n`);
    const { status, stdout } = xenolog('--help');
    expect(status).toBe(0);
    for (const command of ['run', 'replay', 'events', 'inspect', 'why', 'xl']) {
      expect(stdout).toMatch(new RegExp(`^ {2}${command} `, 'm'));
      expect(xenolog(command, '--help').stdout).toContain(`Examples:\n  xenolog ${command} `);
    }
  });
  test('a stack only with --debug', () => {
    expect(xenolog('run', at('no.yaml'), '--debug').stderr).toMatch(/\n {4}at /);
    expect(xenolog('run', at('no.yaml')).stderr).not.toMatch(/\n {4}at /);
  });
});

describe('run', () => {
  test('--until and --json', () => {
    write('a.cfg', config());
    const { status, stdout, stderr } = xenolog('run', at('good.yaml'), '--until', '1500ms', '--json');
    expect([status, stderr]).toEqual([0, '']);
    const report = JSON.parse(stdout);
    expect(report).toMatchObject({ log: null, stopped: false, jobs: [{ argv: ['create', '/a.cfg'], rc: 0 }] });
    // The slice that runs at that time is the last one.
    expect(report.virtual_ns / 1e9).toBeCloseTo(1.5, 1);
    expect(xenolog('run', at('good.yaml'), '--until', '500ms', '--json').stdout).toContain('"jobs":[]');
  });
  test('a reader that goes away is no error', () => {
    const { status, stderr } = spawnSync(
      'bash',
      ['-c', 'set -o pipefail; "$0" "$1" events "$2" | head -1', process.execPath, main, log],
      {
        encoding: 'utf8',
      },
    );
    expect([status, stderr]).toEqual([0, '']);
  });
  test('standard output that can not be written is said in one line', () => {
    for (const args of [
      ['log', 'info', log],
      ['events', log],
    ]) {
      const full = openSync('/dev/full', 'w');
      const { status, stderr } = spawnSync(process.execPath, [main, ...args], {
        encoding: 'utf8',
        stdio: ['ignore', full, 'pipe'],
      });
      closeSync(full);
      expect(complaints(stderr)).toEqual([
        'xenolog: can not write what there is to say: no space is left (standard output): free some space, or write elsewhere',
      ]);
      expect(status).toBe(1);
    }
  });
  test('a log on standard output has nothing else in it', () => {
    write('a.cfg', config());
    const into = at('piped.xlog');
    for (const command of [`> ${into}`, `| cat > ${into}`]) {
      const line = `${process.execPath} ${main} run ${at('good.yaml')} -o /dev/stdout ${command}`;
      const { stderr } = spawnSync('sh', ['-c', line], { encoding: 'utf8' });
      expect(stderr).toMatch(/\d+ steps, 3s of virtual time/);
      expect(readFileSync(into).equals(readFileSync(log))).toBe(true);
    }
  });
  test('paths that lead nowhere are no bugs of ours', () => {
    expect(complaints(xenolog('run', at('good.yaml'), '-o', join(log, 'x')).stderr)).toEqual([
      'xenolog: can not write the log: a part of the path is no directory (DIR/good.xlog/x): correct the path',
    ]);
    expect(complaints(xenolog('events', join(log, 'x')).stderr)).toEqual([
      'xenolog: can not read the log: a part of the path is no directory (DIR/good.xlog/x): correct the path',
    ]);
    expect(complaints(xenolog('log', 'merge', log, '-o', at('no/x.xlog')).stderr)).toEqual([
      'xenolog: can not write the log: there is no such file or directory (DIR/no/x.xlog): correct the path',
    ]);
    expect(complaints(xenolog('events', '/dev/null').stderr)).toEqual([
      'xenolog: it is no file (/dev/null): a log is read from a file: copy it into one first',
    ]);
    mkdirSync(at('beside.xlog-wal'));
    copyFileSync(log, at('beside.xlog'));
    expect(xenolog('log', 'check', at('beside.xlog')).status).toBe(2);
  });
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s closes the log', async (signal, expected) => {
    write('a.cfg', config());
    const long = write(
      'long.yaml',
      scenarioOf('workloads:\n  a: [{ program: cpu, percent: 90 }]\n').replace('until: 3s', 'until: 1h'),
    );
    const path = at(`${signal}.xlog`);
    const running = spawn(process.execPath, [main, 'run', long, '-o', path, '--json'], { stdio: ['ignore', 'pipe', 'inherit'] });
    let stdout = '';
    running.stdout.on('data', (piece) => {
      stdout += piece;
    });
    // Once it has written a block, behind a header of some ten thousand bytes, it is well under way.
    const watching = setInterval(() => {
      if (!existsSync(path) || statSync(path).size < 100_000) return;
      clearInterval(watching);
      running.kill(signal);
    }, 100);
    const status = await new Promise((resolve) => running.on('close', resolve));
    expect(status).toBe(expected);
    expect(JSON.parse(stdout)).toMatchObject({ stopped: true });
    expect(xenolog('replay', path, '--fold', '--json').stdout).toContain('"closed":true');
  });
});
