import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { operations as guest } from '../../events/guest.ts';
import type { Command, CommandOf } from '../../events/vocabulary.ts';
import { operations as xenbus } from '../../events/xenbus.ts';
import { anyCommand, bootedPlainHost, type PlainHost } from '../../tools/fuzz/index.ts';
import { LIMITS } from './state.ts';

type Arguments<K extends Command['type']> = Partial<Omit<CommandOf<K>, 'type'>>;
const image = (more: Arguments<'xc.dom_boot_image'> = {}): Command => ({
  type: 'xc.dom_boot_image',
  domid: 1,
  kernel: '/boot/k',
  cmdline: '',
  store_port: 1,
  console_port: 2,
  ...more,
});
const channel = (domid = 1): Command => ({ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: 0 });
const start: Command = { type: 'guest.start', domid: 1 };
const bind = (more: Arguments<'guest.bind_irq'> = {}): Command => ({
  type: 'guest.bind_irq',
  domid: 1,
  port: 3,
  handler: 'vbd',
  dev: 51712,
  peer: 0,
  ...more,
});
const unbind = (port: number): Command => ({ type: 'guest.unbind_irq', domid: 1, port });
const grant = (more: Arguments<'guest.grant_page'> = {}): Command => ({
  type: 'guest.grant_page',
  domid: 1,
  remote_dom: 0,
  readonly: false,
  ...more,
});
const end = (ref: number): Command => ({ type: 'guest.end_access', domid: 1, ref });
const map = (ref: number): Command => ({ type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref, readonly: false });
const spawn = (name: string, more: Arguments<'guest.spawn'> = {}): Command => ({
  type: 'guest.spawn',
  domid: 1,
  name,
  program: 'tty',
  args: [],
  ...more,
});
const exit = (name: string): Command => ({ type: 'guest.exit', domid: 1, name });
const work = (issuer = 'd1.tty', args: readonly string[] = ['1']): Command => ({
  type: 'guest.start_work',
  domid: 1,
  issuer,
  kind: 'sleep',
  args,
});
const finish = (number: number, result = ''): Command => ({
  type: 'guest.finish_work',
  domid: 1,
  work: number,
  errno: '',
  result,
});
const send = (req_id: number, issuer = 'd1.tty'): Command => ({
  type: 'xenbus.note_sent',
  domid: 1,
  req_id,
  issuer,
  request: 'xenstore.read',
});
const reply = (req_id: number, payload = ''): Command => ({ type: 'xenbus.note_reply', domid: 1, req_id, ok: true, payload });
const print = (text: string): Command => ({ type: 'hvc.write', domid: 1, text });
const long = (length: number): string => 'x'.repeat(length);

const channels = [channel(), channel(), channel()];
const built = [...channels, image()];
const running = [...built, start];
const after = (history: readonly Command[]): PlainHost => bootedPlainHost().prepare(...history);

describe('what a kernel may do in its domain', () => {
  test.each<[string, readonly Command[], Command, string]>([
    ['an image', channels, image(), '{"store_mfn":MFN,"console_mfn":MFN} guest.image_built'],
    [
      'an image without rings',
      [],
      image({ store_port: 0, console_port: 0 }),
      '{"store_mfn":MFN,"console_mfn":MFN} guest.image_built',
    ],
    ['an image twice', built, image(), 'EEXIST'],
    ['an image for nobody', [], image({ domid: 9 }), 'ESRCH'],
    ['an image with a port that can not be', channels, image({ store_port: 4096 }), 'EINVAL'],
    ['an image with a port below all', channels, image({ console_port: -1 }), 'EINVAL'],
    ['an image with a long path', channels, image({ kernel: long(LIMITS.path + 1) }), 'ENAMETOOLONG'],
    ['an image with a long command line', channels, image({ cmdline: long(LIMITS.args + 1) }), 'E2BIG'],
    [
      'an image without its pages',
      [{ type: 'memory.decrease_reservation', domid: 1, dom: 1, gfn: 2, nr_pages: 1 }],
      image(),
      'ENOMEM',
    ],
    ['starting', built, start, '{} guest.started guest.irq_bound guest.irq_bound'],
    ['starting with ports that are not there', [image()], start, '{} guest.started'],
    ['starting with one port for both', [channel(), image({ console_port: 1 })], start, '{} guest.started guest.irq_bound'],
    ['starting twice', running, start, 'EBUSY'],
    ['starting nothing', [], start, 'ENOEXEC'],
    ['a handler', running, bind(), '{} guest.irq_bound'],
    ['a handler twice', [...running, bind()], bind(), 'EBUSY'],
    ['a handler of nothing', running, bind({ handler: 'none' }), 'EINVAL'],
    ['a handler of a port that is free', running, bind({ port: 4 }), 'EINVAL'],
    ['a handler of a port that can not be', running, bind({ port: 2 ** 31 - 1 }), 'EINVAL'],
    ['a handler of port NaN', running, bind({ port: Number.NaN }), 'EINVAL'],
    ['a handler for a device that can not be', running, bind({ dev: -1 }), 'EINVAL'],
    ['a handler for a peer that can not be', running, bind({ peer: 0x10000 }), 'EINVAL'],
    ['a handler goes', [...running, bind()], unbind(3), '{} guest.irq_unbound'],
    ['a handler goes twice', running, unbind(3), 'EINVAL'],
    ['a handler of port -1 goes', running, unbind(-1), 'EINVAL'],
    ['an interrupt', running, { type: 'guest.handle_irq', domid: 1, port: 1 }, '{} guest.irq_handled'],
    ['a page', running, grant(), '{"ref":8,"gfn":24} guest.page_granted'],
    ['a second page', [...running, grant()], grant(), '{"ref":9,"gfn":25} guest.page_granted'],
    ['a page that was given back', [...running, grant(), grant(), end(8)], grant(), '{"ref":8,"gfn":24} guest.page_granted'],
    ['a page to nobody that can be', running, grant({ remote_dom: 0x10000 }), 'EINVAL'],
    ['a page that is not there', [...running, ...Array.from({ length: 40 }, () => grant())], grant(), 'ENOMEM'],
    ['a page back', [...running, grant()], end(8), '{} guest.access_ended'],
    ['a page back that is mapped', [...running, grant(), map(8)], end(8), 'EBUSY'],
    ['a page back that was never granted', running, end(9), 'EINVAL'],
    ['a page back from beyond the table', running, end(2 ** 31), 'EINVAL'],
    ['a process', running, spawn('tty'), '{} guest.process_started'],
    ['a process twice', [...running, spawn('tty')], spawn('tty'), 'EEXIST'],
    ['a process in the place of the kernel', running, spawn('kernel'), 'EEXIST'],
    ['a process without a name', running, spawn(''), 'EINVAL'],
    ['a process with a long name', running, spawn(long(256)), 'EINVAL'],
    ['a program that is not there', running, spawn('x', { program: 'pcpu' }), 'ENOENT'],
    ['a program with long arguments', running, spawn('x', { args: [long(LIMITS.args)] }), 'E2BIG'],
    ['a process ends', [...running, spawn('tty')], exit('tty'), '{} guest.process_exited'],
    ['a process ends that never began', running, exit('tty'), 'ESRCH'],
    ['work', running, work(), '{"work":1} guest.work_started'],
    ['more work', [...running, work()], work(), '{"work":2} guest.work_started'],
    ['work for an actor of another domain', running, work('d0.kernel'), 'EINVAL'],
    ['work for a domain whose number begins like ours', running, work('d11.tty'), 'EINVAL'],
    ['work for a job', running, work('xl.1'), 'EINVAL'],
    ['work for a long name', running, work(`d1.${long(300)}`), 'EINVAL'],
    ['work with long arguments', running, work('d1.tty', [long(LIMITS.args)]), 'E2BIG'],
    ['as much work as may be', [...running, ...Array.from({ length: LIMITS.works }, () => work())], work(), 'EBUSY'],
    ['work is done', [...running, work()], finish(1), '{} guest.work_finished'],
    ['work is done twice', [...running, work(), finish(1)], finish(1), 'ESRCH'],
    ['work with a result that is too long', [...running, work()], finish(1, long(LIMITS.text + 1)), 'E2BIG'],
    ['a request', running, send(1), '{} xenbus.request_sent'],
    ['a request under another number', running, send(2), 'EINVAL'],
    ['a request under the number of another', [...running, send(1)], send(1), 'EINVAL'],
    ['a request of another domain', running, send(1, 'd2.tty'), 'EINVAL'],
    [
      'as many requests as may be',
      [...running, ...Array.from({ length: LIMITS.requests }, (_, i) => send(i + 1))],
      send(1025),
      'EBUSY',
    ],
    ['a reply', [...running, send(1)], reply(1), '{} xenbus.reply_received'],
    ['a reply to nothing', running, reply(1), 'ENOENT'],
    ['a reply twice', [...running, send(1), reply(1)], reply(1), 'ENOENT'],
    ['a reply longer than any', [...running, send(1)], reply(1, long(4097)), 'E2BIG'],
    ['a watch', running, { type: 'xenbus.note_watch', domid: 1, path: '/a', token: 't' }, '{} xenbus.watch_received'],
    ['a watch longer than any', running, { type: 'xenbus.note_watch', domid: 1, path: long(4096), token: 't' }, 'E2BIG'],
    ['printing', running, print('x'), '{} hvc.text_written'],
    ['printing too much', running, print(long(LIMITS.text + 1)), 'ENOSPC'],
    ['printing without a kernel', [], print('x'), 'ENOEXEC'],
  ])('%s', (_, history, command, outcome) => {
    expect(
      after(history)
        .shown(command)
        .replaceAll(/_mfn":\d+/g, '_mfn":MFN'),
    ).toBe(outcome);
  });
});

test('a domain that is dying has no kernel any more', () => {
  const host = after([...running, grant(), map(8)]);
  for (let call = 0; call < 10; call++) host.submit({ type: 'domctl.destroydomain', domid: 0, domain: 1 });
  expect(host.host.xen.exists(1)).toBe(true); // dom0 has a page of it
  for (const command of [print('x'), grant(), end(8), work(), start]) expect(host.shown(command)).toBe('ESRCH');
});

test('any commands, in any order: nothing is thrown and nothing is broken', () => {
  const commands = fc.array(anyCommand<Command>({ ...guest, ...xenbus }), { maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(commands, (some) => {
      const host = after(built);
      for (const command of some) host.submit(command);
    }),
    { numRuns: 40 },
  );
});

test('what a kernel has under way is forgotten with its domain', () => {
  const host = after([...running, bind(), grant(), spawn('tty'), work(), send(1)]);
  const { guests, xen } = host.host;
  expect([...guests.irq.inUse(1)].map(([port, { handler }]) => [port, handler])).toEqual([
    [1, 'store'],
    [2, 'console'],
    [3, 'vbd'],
  ]);
  while (xen.exists(1)) host.submit({ type: 'domctl.destroydomain', domid: 0, domain: 1 });
  expect([guests.irq.of(1), guests.gref.of(1), guests.records.get(1)]).toEqual([undefined, undefined, undefined]);
});
