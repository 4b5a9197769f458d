// xenolog xenstored as others meet it: Xen's own tools, clients that behave and clients that do not, and the log that is left.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { scratchDirectory, xenolog } from './program.ts';
import { type Client, Daemon, message } from './xenstored-daemon.ts';

const directory = scratchDirectory();
const daemons: Daemon[] = [];
let count = 0;
async function start(...options: readonly string[]): Promise<Daemon> {
  const own = join(directory, `${count++}`);
  mkdirSync(own);
  const daemon = await Daemon.start(own, ...options);
  daemons.push(daemon);
  return daemon;
}
afterAll(async () => {
  for (const daemon of daemons) await daemon.stop('SIGKILL');
});

/** All four replays of a log agree. */
function expectReplays(log: string): void {
  const { status, stdout, stderr } = xenolog('replay', log, '--json');
  expect(stderr).toBe('');
  expect([JSON.parse(stdout).closed, status]).toEqual([true, 0]);
}

const installed = existsSync('/usr/bin/xenstore-ls');
// A gap that CI would not show: there the tools have to be there.
describe.skipIf(!installed && !process.env['CI'])("Xen's own tools (apt-get install xenstore-utils)", () => {
  let daemon: Daemon;
  beforeAll(async () => {
    expect(installed, 'xenstore-utils is not installed').toBe(true);
    daemon = await start();
  });
  const environment = () => ({ ...process.env, XENSTORED_PATH: daemon.socket });
  const run = (args: readonly string[]): string => {
    const { stdout, stderr, status } = spawnSync(args[0]!, args.slice(1), {
      encoding: 'latin1',
      env: environment(),
      timeout: 10_000,
    });
    return `${stdout}${stderr}rc=${status}\n`;
  };

  test('print what they printed before a real xenstored', async () => {
    const recorded = readFileSync(new URL('../golden/xenstored/clients-c417.txt', import.meta.url), 'latin1');
    let transcript = '';
    for (const command of toolRuns) {
      if (command === 'watch') transcript += await watching();
      else if (command === 'big') transcript += big();
      else transcript += `$ ${command.join(' ')}\n${run(command)}`;
    }
    expect(transcript).toBe(recorded);
  });

  /** A watch on /cl, and three changes below it, each by a tool of its own. */
  async function watching(): Promise<string> {
    const watch = spawn('xenstore-watch', ['-n', '4', '/cl'], { env: environment(), stdio: ['ignore', 'pipe', 'inherit'] });
    let heard = '';
    const ended = new Promise<number | null>((resolve) => watch.once('close', resolve));
    await new Promise<void>((resolve) => {
      watch.stdout.on('data', (text) => {
        heard += text;
        resolve();
      });
    });
    run(['xenstore-write', '/cl/a', '2']);
    run(['xenstore-write', '/cl/x/y', '3']);
    run(['xenstore-rm', '/cl/d']);
    return `$ xenstore-watch -n 4 /cl & (write a, write x/y, rm d)\n${await ended.then((status) => `${heard}rc=${status}\n`)}`;
  }
  /** A directory that no single reply can list. */
  function big(): string {
    const pairs = Array.from({ length: 120 }, (_, i) => [`/cl/big/${'x'.repeat(40)}${`${i}`.padStart(3, '0')}`, 'v']).flat();
    run(['xenstore-write', ...pairs.slice(0, 120)]);
    run(['xenstore-write', ...pairs.slice(120)]);
    const names = run(['xenstore-list', '/cl/big']).split('\n').length - 2;
    return `$ xenstore-list /cl/big | wc -l  (needs DIRECTORY_PART)\n${names}\n`;
  }

  test('and the run replays', async () => {
    expect(await daemon.stop()).toBe(0);
    expectReplays(daemon.log);
  });
});

const words = (line: string): string[] => line.split(' ').map((word) => word.replace('_', ' ').replace("''", ''));
const toolRuns: readonly (string[] | 'watch' | 'big')[] = [
  ...[
    'rm /cl',
    "write /cl/a 1 /cl/b two /cl/d/e ''",
    'read /cl/a /cl/b',
    'read -p /cl/a',
    'read /cl/none',
    'read -R /cl/b',
    'list /cl',
    'list -p /cl',
    'list /cl/none',
    'exists /cl/a',
    'exists /cl/none',
    'chmod /cl/b n0 r1 b2',
    'chmod -r /cl/d n0 r3',
    'chmod /cl/b q9',
    'ls /cl',
    'ls -f /cl',
    'ls -fp /cl',
  ].map((line) => words(`xenstore-${line}`)),
  'watch',
  ...['rm /cl/none', 'rm /cl/none/deeper', 'rm -t /cl/x/y', 'ls /cl'].map((line) => words(`xenstore-${line}`)),
  'big',
  ...['write relkey hello', 'read relkey', 'rm relkey', 'write /cl/bad_path x', 'rm /cl'].map((line) =>
    words(`xenstore-${line}`),
  ),
];

describe('a socket', () => {
  let daemon: Daemon;
  let a: Client;
  let b: Client;
  beforeAll(async () => {
    daemon = await start();
    a = await daemon.open();
    b = await daemon.open();
  });

  test('a bare store: what xenstored itself puts there', async () => {
    expect(await a.ask('DIRECTORY', '/|')).toBe('DIRECTORY tool|');
    expect(await a.ask('DIRECTORY', '/tool|')).toBe('DIRECTORY xenstored|');
  });
  test('a request byte by byte, and two in one piece', async () => {
    for (const byte of message('WRITE', '/p/x|1', { rid: 1000 })) a.raw(byte);
    expect(await a.reply(1000)).toBe('WRITE OK|');
    a.raw(message('READ', '/p/x|', { rid: 1001 }) + message('READ', '/p/y|', { rid: 1002 }));
    expect([await a.reply(1001), await a.reply(1002)]).toEqual(
      ['READ 1|', 'ERROR ENOENT|'].map((text) => text.replace('1|', '1')),
    );
  });
  test('no payload at all is answered', async () => {
    expect(await a.ask('READ', '')).toBe('ERROR ENOENT|');
    expect(await a.ask('TRANSACTION_START', '')).toMatch(/^TRANSACTION_START \d+\|$/);
  });
  test('an event comes before the reply to what caused it, to others as well', async () => {
    expect(await a.ask('WATCH', '/w|t|')).toBe('WATCH OK|');
    await b.ask('WATCH', '/w|u|');
    await Promise.all([a.until(1), b.until(1)]);
    a.inbox = [];
    b.inbox = [];
    a.send('WRITE', '/w/x|1');
    await Promise.all([a.until(2), b.until(1)]);
    expect(a.inbox.map(({ op, body }) => `${op} ${body}`)).toEqual(['WATCH_EVENT /w/x|t|', 'WRITE OK|']);
    expect(b.inbox.map(({ body }) => body)).toEqual(['/w/x|u|']);
    a.inbox = [];
  });
  test('a payload that is too long closes it, and only it', async () => {
    const long = await daemon.open();
    long.raw(message('WRITE', '/l|', { length: 4097 }));
    await long.end();
    expect([long.closed, long.inbox]).toEqual([true, []]);
    expect(await a.ask('READ', '/p/x|')).toBe('READ 1');
  });
  test('half a request and silence keep nobody waiting', async () => {
    const half = await daemon.open();
    half.raw(message('WRITE', '/h|value').slice(0, 20));
    expect(await a.ask('WRITE', '/p/z|2')).toBe('WRITE OK|');
    half.close();
    expect(await a.ask('READ', '/h|')).toBe('ERROR ENOENT|');
  });
  test('who vanishes inside a transaction leaves nothing behind', async () => {
    const gone = await daemon.open();
    const tx = Number(/\d+/.exec(await gone.ask('TRANSACTION_START', '|'))![0]);
    expect(await gone.ask('WRITE', '/t|1', tx)).toBe('WRITE OK|');
    gone.close();
    expect(await a.ask('READ', '/t|')).toBe('ERROR ENOENT|');
  });

  // Debian's xenstore-control only starts on a running Xen; this is what it would send.
  test('CONTROL: checks, tells quotas and sets them', async () => {
    expect(await a.ask('CONTROL', 'check|')).toBe('CONTROL OK|');
    expect(await a.ask('CONTROL', 'quota|')).toMatch(/^watches +: +128$/m);
    expect(await a.ask('CONTROL', 'quota|set|watches|5|')).toBe('CONTROL OK|');
    expect(await a.ask('CONTROL', 'quota|')).toMatch(/^watches +: +5$/m);
    expect(await a.ask('CONTROL', 'quota|0|')).toMatch(/^nodes +: +\d+$/m);
    expect(await a.ask('CONTROL', 'nosuch|')).toBe('ERROR EINVAL|');
  });

  test('who never reads is bounded: identical events wait once, distinct ones up to a limit, and nobody else waits', async () => {
    const value = 'v'.repeat(2000);
    const deaf = await daemon.open();
    expect(await deaf.ask('WATCH', '/deaf|t|')).toBe('WATCH OK|');
    deaf.pause();
    for (let i = 0; i < 2000; i++) deaf.send('WRITE', `/own|${value}`);
    // Replies to itself fill its pipe; then it is not read from any more, and what others do waits for it.
    for (let round = 0; round < 20; round++) expect(await a.ask('WRITE', '/deaf/same|x')).toBe('WRITE OK|');
    deaf.resume();
    const last = await deaf.ask('READ', '/own|');
    expect(last).toBe(`READ ${value}`);
    const events = deaf.inbox.filter(({ op }) => op === 'WATCH_EVENT').map(({ body }) => body);
    expect(new Set(events)).toEqual(new Set(['/deaf|t|', '/deaf/same|t|']));
    expect(events.length).toBeLessThanOrEqual(22);
    deaf.close();
  });

  test('a second daemon does not take the socket away', () => {
    const { status, stderr } = xenolog('xenstored', '--socket', daemon.socket);
    expect(stderr).toMatch(/^xenolog: somebody serves this socket already \(.*\): .*\n$/);
    expect(status).toBe(1);
  });
  test('the run replays byte for byte', async () => {
    expect(await daemon.stop('SIGINT')).toBe(0);
    expect(existsSync(daemon.socket)).toBe(false);
    expectReplays(daemon.log);
  });
});

describe('domains without guests', () => {
  let daemon: Daemon;
  let tool: Client;
  beforeAll(async () => {
    daemon = await start('--test-domains', '20', '--xen-version', '4.22');
    tool = await daemon.open();
  });

  test('a domain has its socket from INTRODUCE to RELEASE, and there speaks with its own rights', async () => {
    expect(await tool.ask('INTRODUCE', '5|1|2|')).toBe('INTRODUCE OK|');
    await tool.ask('WRITE', '/local/domain/5/name|web');
    await tool.ask('SET_PERMS', '/local/domain/5|n5|');
    await tool.ask('SET_PERMS', '/local/domain/5/name|n5|');
    const guest = await daemon.open('dom5.sock');
    expect(await guest.ask('READ', 'name|')).toBe('READ web');
    expect(await guest.ask('WRITE', '/tool/x|1')).toBe('ERROR EACCES|');
    expect(await tool.ask('RELEASE', '5|')).toBe('RELEASE OK|');
    await guest.end();
    await expect(daemon.open('dom5.sock')).rejects.toThrow();
  });
  test('those that do not exist can not be introduced, until they do', async () => {
    expect(await tool.ask('INTRODUCE', '21|1|2|')).toBe('ERROR EINVAL|');
    expect(await daemon.control('create 21')).toBe('ok');
    expect(await tool.ask('INTRODUCE', '21|1|2|')).toBe('INTRODUCE OK|');
  });
  test('shutdown and destruction are told', async () => {
    await tool.ask('WATCH', '@releaseDomain|t|');
    await tool.until(1);
    tool.inbox = [];
    await daemon.control('shutdown 21');
    await tool.until(1);
    await daemon.control('destroy 21');
    await tool.until(2);
    expect(tool.inbox.map(({ body }) => body)).toEqual(['@releaseDomain|t|', '@releaseDomain|t|']);
    expect(await daemon.control('nonsense')).toMatch(/^error/);
  });
  test('a guest whose payload is too long is not listened to any more; its domain stays', async () => {
    await tool.ask('INTRODUCE', '6|1|2|');
    const guest = await daemon.open('dom6.sock');
    guest.raw(message('WRITE', 'x|', { length: 5000 }));
    guest.send('GET_DOMAIN_PATH', '6|');
    expect(await tool.ask('IS_DOMAIN_INTRODUCED', '6|')).toBe('IS_DOMAIN_INTRODUCED T|');
    expect([guest.inbox, guest.closed]).toEqual([[], false]);
  });
  test('a guest that writes while a transaction is open is slowed down, and nobody else', async () => {
    await tool.ask('INTRODUCE', '7|1|2|');
    await tool.ask('WRITE', '/local/domain/7|');
    await tool.ask('SET_PERMS', '/local/domain/7|n7|');
    const guest = await daemon.open('dom7.sock');
    await tool.ask('TRANSACTION_START', '|');
    const started = performance.now();
    // The others lend a thousand at most.
    const burst = Array.from({ length: 1100 }, (_, i) => guest.send('WRITE', `a|${i}`));
    let isHeld = true;
    const last = guest.reply(burst.at(-1)!).then((reply) => {
      isHeld = false;
      return reply;
    });
    expect([await tool.ask('READ', '/tool|'), isHeld]).toEqual(['READ ', true]);
    expect(await last).toBe('WRITE OK|');
    expect(performance.now() - started).toBeGreaterThan(100);
  });
  test('the run replays', async () => {
    expect(await daemon.stop()).toBe(0);
    expectReplays(daemon.log);
  });
});

test.each([
  [['--socket', 'x', '--xen-version', '4.18'], 'no such version (--xen-version 4.18): it is one of 4.17, 4.22', 2],
  [['--socket', 'x', '--test-domains', 'many'], 'not a number of domains (--test-domains many): write a number up to 1000', 2],
  [['--socket', '/nowhere/socket'], 'can not listen: there is no such file or directory (/nowhere): correct the path', 1],
])('xenstored %j', (options, complaint, status) => {
  const ended = xenolog('xenstored', ...options);
  expect([ended.stderr, ended.status]).toEqual([`xenolog: ${complaint}\n`, status]);
});
