import { expect, test } from 'vitest';
import { eventsOf } from '../../events/step.ts';
import type { ToolstackCommand, ToolstackFact } from '../../events/vocabulary.ts';
import { defaultHost } from '../host-config.ts';
import { Journal } from '../tables/journal.ts';
import { decide } from './decide.ts';
import { evolve } from './evolve.ts';
import { Toolstack } from './state.ts';

const boot: ToolstackCommand = { type: 'host.boot' };
const draw = (count: number): ToolstackCommand => ({ type: 'host.draw', count });
const run = (...argv: string[]): ToolstackCommand => ({ type: 'xl.run', argv, files: [] });
const print = (job: number, text = 'x'): ToolstackCommand => ({ type: 'xl.print', job, stream: 'stdout', text });
const exit = (job: number, rc = 0): ToolstackCommand => ({ type: 'xl.exit', job, rc });
const store = (domid: number, config = '{}'): ToolstackCommand => ({ type: 'xl.store_config', domid, config });
const load = (job: number, domid = 1): ToolstackCommand => ({
  type: 'bootloader.run',
  job,
  domid,
  loader: 'pygrub',
  disk: '/disk',
  entry: '',
});
const loaded = (job: number, menu = ''): ToolstackCommand => ({
  type: 'bootloader.note_result',
  job,
  domid: 1,
  kernel: 'k',
  ramdisk: '',
  args: '',
  menu,
  error: '',
});
const hotplug = (job: number, domid = 1): ToolstackCommand => ({
  type: 'hotplug.run',
  job,
  domid,
  script: 'block',
  action: 'add',
  backend_path: '/b',
  dev: '',
  params: '',
});
const plugged = (job: number): ToolstackCommand => ({ type: 'hotplug.note_result', job, backend_path: '/b', error: '' });
const long = (length: number): string => 'x'.repeat(length);

function after(commands: readonly ToolstackCommand[]): Toolstack {
  const toolstack = new Toolstack(new Journal(), 1);
  commands.forEach((command) => {
    const outcome = decide(toolstack, defaultHost, command);
    expect(outcome.ok, command.type).toBe(true);
    for (const event of eventsOf(outcome)) evolve(toolstack, event as ToolstackFact);
  });
  return toolstack;
}

test.each<[string, readonly ToolstackCommand[], ToolstackCommand, string]>([
  ['boot', [], boot, '{} host.booted'],
  ['boot twice', [boot], boot, 'EBUSY'],
  ['the end', [boot], { type: 'host.end' }, '{} host.ended'],
  ['no bytes', [], draw(0), '{"bytes":""} host.bytes_drawn'],
  ['fewer bytes than none', [], draw(-1), 'EINVAL'],
  ['too many bytes', [], draw(4097), 'EINVAL'],
  ['NaN bytes', [], draw(Number.NaN), 'EINVAL'],
  ['a job', [], run('list'), '{"job":1} xl.job_started'],
  ['another job', [run('list')], run('list'), '{"job":2} xl.job_started'],
  ['a job with too many words', [], run(long(2 << 20)), 'E2BIG'],
  ['a job prints', [run('list')], print(1), '{} xl.printed'],
  ['a job prints too much', [run('list')], print(1, long((16 << 20) + 1)), 'E2BIG'],
  ['no job prints', [], print(1), 'ESRCH'],
  ['a job that has exited prints', [run('list'), exit(1)], print(1), 'ESRCH'],
  ['a job exits', [run('list')], exit(1, 255), '{} xl.exited'],
  ['a job exits twice', [run('list'), exit(1)], exit(1, 2), 'ESRCH'],
  ['a job exits with no byte', [run('list')], exit(1, -1), 'EINVAL'],
  ['a job exits with too much', [run('list')], exit(1, 256), 'EINVAL'],
  ['no job exits', [run('list')], exit(2), 'ESRCH'],
  ['a configuration', [], store(1), '{} xl.config_stored'],
  ['a configuration of no domain', [], store(0x7ff0), 'ESRCH'],
  ['a configuration of domain -1', [], store(-1), 'ESRCH'],
  ['a configuration of domain NaN', [], store(Number.NaN), 'ESRCH'],
  ['a configuration that is too long', [], store(1, long((16 << 20) + 1)), 'E2BIG'],
  ['a boot loader', [run('create')], load(1), '{} bootloader.started'],
  ['a boot loader of no job', [run('create')], load(2), 'ESRCH'],
  ['a boot loader of a job that has exited', [run('create'), exit(1)], load(1), 'ESRCH'],
  ['a boot loader of a daemon', [], load(-1), '{} bootloader.started'],
  ['a boot loader of a daemon that can not be', [], load(-0x7ff0), 'ESRCH'],
  ['a boot loader of job 0', [], load(0), 'ESRCH'],
  ['a boot loader for no domain', [run('create')], load(1, 2 ** 40), 'ESRCH'],
  ['a boot loader ends', [run('create')], loaded(1), '{} bootloader.finished'],
  ['a boot loader says too much', [run('create')], loaded(1, long(16 << 20)), 'E2BIG'],
  ['a script', [run('create')], hotplug(1), '{} hotplug.started'],
  ['a script of no job', [], hotplug(1), 'ESRCH'],
  ['a script of a daemon', [], hotplug(-1), '{} hotplug.started'],
  ['a script for no domain', [run('create')], hotplug(1, -1), 'ESRCH'],
  ['a script ends', [run('create')], plugged(1), '{} hotplug.finished'],
  ['a script of no job ends', [], plugged(1), 'ESRCH'],
])('%s', (_, history, command, shown) => {
  const outcome = decide(after(history), defaultHost, command);
  expect(outcome.ok ? [JSON.stringify(outcome.value), ...outcome.events.map(({ type }) => type)].join(' ') : outcome.errno).toBe(
    shown,
  );
});

test('the configuration of the host is what it was made from', () => {
  const outcome = decide(after([]), defaultHost, { type: 'host.configuration' });
  expect(outcome.ok && JSON.parse((outcome.value as { json: string }).json)).toEqual(defaultHost);
});

test('what is drawn is drawn once, and the same for the same seed', () => {
  const bytes = (history: readonly ToolstackCommand[]): unknown => decide(after(history), defaultHost, draw(8));
  expect(bytes([])).toEqual(bytes([]));
  expect(bytes([draw(8)])).not.toEqual(bytes([]));
});

test('a job keeps its words and how it ended', () => {
  const { jobs, host } = after([run('list', '-l'), run('info'), exit(1, 3)]);
  expect([...jobs.entries()]).toEqual([
    [1, { argv: ['list', '-l'], rc: 3 }],
    [2, { argv: ['info'], rc: -1 }],
  ]);
  expect(host.get(0)!.next_job).toBe(3);
});

test('a job that is not there does not exit', () => {
  const toolstack = after([]);
  evolve(toolstack, { type: 'xl.exited', job: 7, rc: 0 });
  expect(toolstack.jobs.keys()).toEqual([]);
});
