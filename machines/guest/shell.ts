// The commands of an actor guest's shell: a command line to what must be done, and what came of it to what is printed.
import { textToIp } from '../../src/net/address.ts';
import { vdevNumber } from '../../src/toolstack/cfg/vdev.ts';
import { RELEASE } from './boot-log.ts';

/** What the shell knows of its session. */
export interface Session {
  readonly hostname: string;
  readonly user: string;
  readonly root: string;
}
export type WorkKind = 'readdir' | 'read_file' | 'read_disk' | 'ping' | 'clock' | 'sleep';
/** One piece of work; `what` tells `format` which part of the command it was. */
export interface Todo {
  readonly what: string;
  readonly kind: WorkKind;
  readonly args: readonly string[];
}
/** Print at once; or work, piece by piece, and print what `format` makes of each; or leave; or stop the machine. */
export type Plan =
  | { readonly do: 'print'; readonly text: string }
  | { readonly do: 'work'; readonly text: string; readonly todo: readonly Todo[]; readonly args: readonly string[] }
  | { readonly do: 'leave' }
  | { readonly do: 'stop'; readonly reason: 'poweroff' | 'reboot' };

const HELP = 'cat cd dd echo exit halt help hostname id ls ping poweroff pwd reboot sleep uname uptime whoami';
const PING_INTERVAL_NS = 1_000_000_000;
const MAX_PINGS = 100;

export function plan(line: string, session: Session): Plan {
  const [name = '', ...args] = line.trim().split(/\s+/);
  const { hostname, user, root } = session;
  const print = (text: string): Plan => ({ do: 'print', text });
  const work = (text: string, ...todo: readonly Todo[]): Plan => ({ do: 'work', text, todo, args });
  switch (name) {
    case '':
      return print('');
    case 'echo':
      return print(`${args.join(' ')}\n`);
    case 'help':
      return print(`Commands: ${HELP}\n`);
    case 'hostname':
      return print(`${hostname}\n`);
    case 'whoami':
      return print(`${user}\n`);
    case 'id':
      return print(`uid=1000(${user}) gid=1000(${user}) groups=1000(${user})\n`);
    case 'pwd':
      return print('/\n');
    case 'cd':
      return print('');
    case 'uname':
      return print(args.includes('-a') ? `Linux ${hostname} ${RELEASE} #1 SMP Xen i686 GNU/Linux\n` : 'Linux\n');
    case 'uptime':
      return work('', { what: 'uptime', kind: 'clock', args: [] });
    case 'sleep': {
      const seconds = args[0] ?? '';
      if (!/^\d{1,6}$/.test(seconds)) return print('sleep: give a number of seconds\n');
      return work('', { what: 'sleep', kind: 'sleep', args: [String(Number(seconds) * 1_000_000_000)] });
    }
    case 'ls': {
      const path = args.find((arg) => !arg.startsWith('-')) ?? '/';
      return work('', { what: 'ls', kind: 'readdir', args: [root, absolute(path)] });
    }
    case 'cat': {
      if (args.length === 0) return print('cat: give the name of a file\n');
      return work('', ...args.map((path): Todo => ({ what: 'cat', kind: 'read_file', args: [root, absolute(path)] })));
    }
    case 'dd':
      return dd(args);
    case 'ping':
      return ping(args);
    case 'exit':
    case 'logout':
      return { do: 'leave' };
    case 'halt':
    case 'poweroff':
      return { do: 'stop', reason: 'poweroff' };
    case 'reboot':
      return { do: 'stop', reason: 'reboot' };
    default:
      return print(`-sh: ${name}: command not found\n`);
  }
}

/** What is printed for a finished piece of work. `done` are the results of the command's pieces before it. */
export function format(todo: Todo, errno: string, result: string, done: readonly string[], args: readonly string[]): string {
  switch (todo.what) {
    case 'uptime':
      return `up ${duration(Number(result))}\n`;
    case 'ls':
      if (errno !== '') return `ls: ${todo.args[1]}: ${explain(errno)}\n`;
      return result === '' ? '' : `${result.split('\n').sort(byCodeUnits).join('  ')}\n`;
    case 'cat':
      return errno === '' ? result : `cat: ${todo.args[1]}: ${explain(errno)}\n`;
    case 'dd.read':
      return errno === '' ? '' : `dd: reading the disk: ${explain(errno)}\n`;
    case 'dd.end':
      return ddReport(Number(done[0] ?? 0), Number(result), Number(todo.args[0]), Number(todo.args[1]));
    case 'ping.echo': {
      if (errno !== '') return `From ${args[args.length - 1]}: ${explain(errno)}\n`;
      const [bytes = '', from = '', seq = '', ttl = '', rtt = '0'] = result.split(' ');
      return `${bytes} bytes from ${from}: icmp_seq=${seq} ttl=${ttl} time=${milliseconds(Number(rtt))} ms\n`;
    }
    case 'ping.end': {
      const echoes = Number(todo.args[0]);
      const received = done.filter((one) => one.includes(' ')).length;
      const lost = Math.floor(((echoes - received) * 100) / echoes);
      return `\n${echoes} packets transmitted, ${received} received, ${lost}% packet loss\n`;
    }
    default:
      return '';
  }
}

const absolute = (path: string): string => (path.startsWith('/') ? path : `/${path}`);
const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** dd if=/dev/xvda of=/dev/null bs=4096 count=64: reads through the ring, and says how long it took. */
function dd(args: readonly string[]): Plan {
  const options = new Map(args.map((arg) => [arg.slice(0, arg.indexOf('=')), arg.slice(arg.indexOf('=') + 1)] as const));
  const input = options.get('if') ?? '';
  const vdev = vdevNumber(input.replace(/^\/dev\//, ''));
  const bs = size(options.get('bs') ?? '512');
  const count = size(options.get('count') ?? '1');
  if (vdev === undefined || !input.startsWith('/dev/')) return { do: 'print', text: `dd: ${input || 'if='}: no such disk\n` };
  if (bs === undefined || count === undefined || bs % 512 !== 0 || bs * count > 2 ** 32)
    return { do: 'print', text: 'dd: bs must be a multiple of 512, and bs * count at most 4 GiB\n' };
  const sectors = (bs * count) / 512;
  return {
    do: 'work',
    text: '',
    args,
    todo: [
      { what: 'dd.begin', kind: 'clock', args: [] },
      { what: 'dd.read', kind: 'read_disk', args: [String(vdev), '0', String(sectors)] },
      { what: 'dd.end', kind: 'clock', args: [String(bs), String(count)] },
    ],
  };
}
const size = (text: string): number | undefined => {
  const [, digits, unit] = /^(\d{1,9})([kM]?)$/.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Number(digits) * (unit === 'k' ? 1024 : unit === 'M' ? 1048576 : 1);
};
function ddReport(begin: number, end: number, bs: number, count: number): string {
  const bytes = bs * count;
  const us = Math.max(1, Math.floor((end - begin) / 1000));
  const rate = Math.floor((bytes * 10) / us); // tenths of MB/s, for bytes a microsecond are MB a second
  const seconds = `${Math.floor(us / 1_000_000)}.${String(us % 1_000_000).padStart(6, '0')}`;
  return `${count}+0 records in\n${count}+0 records out\n${bytes} bytes copied, ${seconds} s, ${Math.floor(rate / 10)}.${rate % 10} MB/s\n`;
}

function ping(args: readonly string[]): Plan {
  const at = args.indexOf('-c');
  const count = at < 0 ? 3 : Number(args[at + 1]);
  const target = args.find((arg, i) => !arg.startsWith('-') && i !== at + 1) ?? args[args.length - 1] ?? '';
  if (!Number.isInteger(count) || count < 1 || count > MAX_PINGS)
    return { do: 'print', text: `ping: -c takes 1 to ${MAX_PINGS}\n` };
  if (textToIp(target) === undefined) return { do: 'print', text: `ping: ${target || 'nothing'}: give an IPv4 address\n` };
  const todo: Todo[] = [];
  for (let seq = 1; seq <= count; seq++) {
    if (seq > 1) todo.push({ what: 'ping.wait', kind: 'sleep', args: [String(PING_INTERVAL_NS)] });
    todo.push({ what: 'ping.echo', kind: 'ping', args: [target, '4711', String(seq)] });
  }
  todo.push({ what: 'ping.end', kind: 'clock', args: [String(count)] });
  return { do: 'work', text: `PING ${target}: 56 data bytes\n`, todo, args: [...args.filter((arg) => arg !== target), target] };
}

/** Milliseconds with three digits, from nanoseconds. */
const milliseconds = (ns: number): string =>
  `${Math.floor(ns / 1_000_000)}.${String(Math.floor(ns / 1000) % 1000).padStart(3, '0')}`;

function duration(ns: number): string {
  const seconds = Math.floor(ns / 1_000_000_000);
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  return hours > 0 ? `${hours}:${String(minutes % 60).padStart(2, '0')}` : minutes > 0 ? `${minutes} min` : `${seconds} s`;
}

/** An errno as a program says it. */
export const explain = (errno: string): string => explanations[errno] ?? errno;
const explanations: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'not a directory',
  EISDIR: 'is a directory',
  EIO: 'input/output error',
  ENODEV: 'no such device',
  ETIMEDOUT: 'timed out',
  ENETUNREACH: 'network is unreachable',
  EHOSTUNREACH: 'host is unreachable',
  ELOOP: 'too many symbolic links',
  EINVAL: 'not a file system that this kernel knows',
};
