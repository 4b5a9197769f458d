import { expect, test } from 'vitest';
import type { Command } from '../../../events/vocabulary.ts';
import { bootedPlainHost, type PlainHost } from '../../../tools/fuzz/index.ts';
import { TYPED_MAX } from './decide.ts';
import { evolve } from './evolve.ts';

const CONSOLE_GFN = 4;
/** dom0 has bound port 1 to domain 1, and port 2 to domain 2. */
const base = (): PlainHost =>
  bootedPlainHost().prepare(
    ...[1, 2].flatMap((domid): Command[] => [
      { type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: 0 },
      { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: domid, remote_port: 1 },
    ]),
  );
const frame = base().host.xen.p2m.mfn(1, CONSOLE_GFN);

const open = (more: { domid?: number; dom?: number; mfn?: number; local_port?: number } = {}): Command => ({
  type: 'console.open',
  domid: 0,
  dom: 1,
  mfn: frame,
  local_port: 1,
  ...more,
});
const close = (domid = 0): Command => ({ type: 'console.close', domid, dom: 1 });
const type = (text: string, dom = 1): Command => ({ type: 'console.input', dom, text });
const typed = (count: number, domid = 0): Command => ({ type: 'console.note_typed', domid, dom: 1, count });
const output = (text: string, domid = 0): Command => ({ type: 'console.note_output', domid, dom: 1, text });

test.each<[string, readonly Command[], Command, string]>([
  ['opening', [], open(), '{} console.opened'],
  ['opening twice', [open()], open(), 'EBUSY'],
  ['opening again', [open(), close()], open(), '{} console.opened'],
  ['opening for nobody', [], open({ dom: 9 }), 'ESRCH'],
  ['opening for a domain that can not be', [], open({ dom: -1 }), 'ESRCH'],
  ['opening by a guest', [], open({ domid: 1 }), 'EPERM'],
  ['opening a frame of another', [], open({ mfn: 1 }), 'EINVAL'],
  ['opening frame NaN', [], open({ mfn: Number.NaN }), 'EINVAL'],
  ['opening with the channel of another', [], open({ local_port: 2 }), 'EINVAL'],
  ['opening with a channel that is not there', [], open({ local_port: 2 ** 31 }), 'EINVAL'],
  ['closing', [open()], close(), '{} console.closed'],
  ['closing what is closed', [], close(), 'ENOENT'],
  ['closing by a guest', [open()], close(1), 'EPERM'],
  ['output', [open()], output('x'), '{} console.output'],
  ['output of a closed console', [], output('x'), 'ENOENT'],
  ['output by a guest', [open()], output('x', 1), 'EPERM'],
  ['output that no ring holds', [open()], output('x'.repeat(65537)), 'E2BIG'],
  ['typing', [open()], type('ls\n'), '{} console.input_queued'],
  ['typing at a closed console', [], type('ls\n'), 'ENOENT'],
  ['typing at nobody', [open()], type('ls\n', 9), 'ENOENT'],
  ['typing as much as may wait', [open()], type('x'.repeat(TYPED_MAX)), '{} console.input_queued'],
  ['typing more than may wait', [open(), type('x')], type('x'.repeat(TYPED_MAX)), 'ENOSPC'],
  ['what was typed goes', [open(), type('ls')], typed(2), '{} console.input_delivered'],
  ['more goes than was typed', [open(), type('ls')], typed(3), 'EINVAL'],
  ['less than nothing goes', [open(), type('ls')], typed(-1), 'EINVAL'],
  ['nothing goes', [open(), type('ls')], typed(0), 'EINVAL'],
  ['NaN goes', [open(), type('ls')], typed(Number.NaN), 'EINVAL'],
  ['something goes from a closed console', [open(), type('ls'), close()], typed(1), 'ENOENT'],
  ['something goes by a guest', [open(), type('ls')], typed(1, 1), 'EPERM'],
])('%s', (_, history, command, outcome) => {
  expect(
    base()
      .prepare(...history)
      .shown(command),
  ).toBe(outcome);
});

test.each<[string, readonly Command[], string | undefined]>([
  ['is kept', [type('ab'), type('cd')], 'abcd'],
  ['goes in pieces', [type('ab'), type('cd'), typed(3)], 'd'],
  ['goes', [type('ab'), typed(2)], undefined],
  ['is lost when the console closes', [type('ab'), close()], undefined],
  ['may be nothing', [type('')], undefined],
])('what was typed %s', (_, history, text) => {
  expect(
    base()
      .prepare(open(), ...history)
      .host.consoles.typed.get(1)?.text,
  ).toBe(text);
});

test('what waits remembers the step that typed last', () => {
  const host = base().prepare(open(), type('ab'), type('cd'), typed(1));
  expect(host.host.consoles.typed.get(1)).toEqual({ text: 'bcd', by: host.steps.length - 2 });
});

test('bytes that nobody typed do not go', () => {
  const { host } = base();
  const before = host.digest();
  evolve(host.consoles, { type: 'console.input_delivered', dom: 1, count: 5 }, 1);
  expect(host.digest()).toBe(before);
});
