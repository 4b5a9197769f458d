// console_io, the console ring and the debug keys (xen/drivers/char/console.c, xen/common/keyhandler.c).
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, ConringCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import { isOn } from '../parameters.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { pressed } from './keys.ts';
import { always, type Line, printk, said } from './printk.ts';
import { DOMAIN_PBUF_SIZE, SERIAL_RX_SIZE } from './state.ts';

export function decide(xen: Xen, command: ConringCommand, now: Ns, guest: GuestReader): Outcome {
  switch (command.type) {
    case 'console_io.write':
      if (!isPrivileged(command.domid)) return guestWrite(xen, command, now, guest);
      return accept(
        {},
        { type: 'console_io.written', domid: command.domid, text: command.text },
        ...(isOn(xen.parameters, 'console_to_ring') && command.text !== ''
          ? [{ type: 'conring.printed', text: command.text } satisfies Fact, ...raiseGlobalVirq(xen, VIRQ.CON_RING, now, guest)]
          : []),
      );
    case 'console_io.read': {
      const { domid, count } = command;
      if (!isPrivileged(domid)) return refuse('EPERM');
      if (count < 0 || count > INT_MAX) return refuse('E2BIG');
      const text = (xen.console.typed.get(0)?.text ?? '').slice(0, count);
      return text === '' ? accept({ text }) : accept({ text }, { type: 'console_io.taken', count: text.length });
    }
    case 'console_io.receive':
      return receive(xen, command.text, now, guest);
    case 'sysctl.readconsole':
      return isPrivileged(command.domid) ? readconsole(xen, command) : refuse('EPERM');
    case 'sysctl.debug_keys': {
      const { domid, keys } = command;
      if (!isPrivileged(domid)) return refuse('EPERM');
      return accept({}, ...press(xen, domid, keys, now, guest));
    }
    default:
      return command satisfies never;
  }
}

const INT_MAX = 2 ** 31 - 1;
const CTRL_A = '\x01';

/** Whether domains other than dom0 may write is a matter of how Xen was built (CONFIG_VERBOSE_DEBUG): not in a release (xsm_console_io()). */
function guestWrite(xen: Xen, { domid, text }: CommandOf<'console_io.write'>, now: Ns, guest: GuestReader): Outcome {
  if (!xen.verboseDebug) return refuse('EPERM');
  let line = xen.console.line(domid);
  const lines: Line[] = [];
  // Xen takes the text in pieces of 127 bytes, and of a piece no more than a line.
  for (let at = 0; at < text.length; ) {
    const piece = text.slice(at, at + 127);
    const newline = piece.indexOf('\n');
    const taken = newline < 0 ? piece : piece.slice(0, newline);
    const shown = [...taken].filter((c) => c === '\t' || (c >= ' ' && c <= '~')).join('');
    at += newline < 0 ? piece.length : newline + 1;
    if (newline < 0 && line.length + shown.length < DOMAIN_PBUF_SIZE - 1) {
      line += shown;
      continue;
    }
    lines.push({ by: domid, level: 'debug', guest: true, text: line + shown });
    line = '';
  }
  const begun: Fact[] = line === xen.console.line(domid) ? [] : [{ type: 'console_io.line_begun', domid, text: line }];
  return accept({}, ...begun, ...printk(xen, now, guest, lines));
}

function readconsole(xen: Xen, { clear, incremental, index, count }: CommandOf<'sysctl.readconsole'>): Outcome {
  const row = xen.console.row.of(0)!;
  const p = row.conringp.at(0);
  let c = row.conringc.at(0);
  // From where the last reading ended, as long as that is still in the ring.
  if (incremental && (c <= p ? c < index && index <= p : c < index || index <= p) && index >= 0 && index < 2 ** 32) c = index;
  const length = Math.min((p - c) >>> 0, Math.max(0, count));
  const buffer = xen.console.read(c, length);
  const end = (c + length) >>> 0;
  const answer = { buffer, count: length, index: end };
  return clear && end !== row.conringc.at(0) ? accept(answer, { type: 'conring.cleared', conringc: end }) : accept(answer);
}

/** Keys that come one after the other: what one of them switches counts for the next. */
function press(xen: Xen, caller: DomId, keys: string, now: Ns, guest: GuestReader): Fact[] {
  const facts: Fact[] = [];
  const lines: Line[] = [];
  let thresholds = xen.console.thresholds;
  let altKeys = xen.console.row.of(0)!.alt_keys.at(0) === 1;
  let adjustsGuest = xen.console.row.of(0)!.adjusts_guest.at(0) === 1;
  for (const key of keys.slice(0, MAX_KEYS)) {
    const did = pressed(xen, { key, caller, now, guest, thresholds, altKeys, adjustsGuest });
    lines.push(...did.lines);
    facts.push(...(did.facts ?? []));
    if (did.thresholds !== undefined) {
      thresholds = did.thresholds;
      facts.push({ type: 'conring.thresholds_set', ...thresholds });
    }
    if (did.altKeys !== undefined) {
      altKeys = did.altKeys;
      facts.push({ type: 'conring.alt_keys_toggled', alt_keys: altKeys });
    }
    if (did.adjustsGuest !== undefined) {
      adjustsGuest = did.adjustsGuest;
      facts.push({ type: 'conring.adjustment_chosen', guest: adjustsGuest });
    }
  }
  return [...facts, ...printk(xen, now, guest, lines, always)];
}
/** Ours: nobody reads more answers than the ring holds, and a step is not the place to write them. */
const MAX_KEYS = 64;

/** serial_rx(): three times CTRL-a gives the keys to the other. */
function receive(xen: Xen, text: string, now: Ns, guest: GuestReader): Outcome {
  const row = xen.console.row.of(0)!;
  let toXen = row.to_xen.at(0) === 1;
  let presses = row.presses.at(0);
  let typed = '';
  let keys = '';
  const lines: Line[] = [];
  const room = SERIAL_RX_SIZE - (xen.console.typed.get(0)?.text.length ?? 0);
  for (const c of text) {
    if (c === CTRL_A) {
      presses += 1;
      if (presses === 3) {
        presses = 0;
        toXen = !toXen;
        const other = toXen ? 'dom0' : 'Xen';
        lines.push(...said(`*** Keys go to ${toXen ? 'Xen' : 'dom0'} (CTRL-a three times for ${other})`));
      }
      continue;
    }
    // A CTRL-a or two before another key were meant as they are.
    const meant = CTRL_A.repeat(presses) + c;
    presses = 0;
    if (toXen) keys += meant;
    else typed = (typed + meant).slice(0, Math.max(0, room));
  }
  const facts: Fact[] = [];
  if (toXen !== (row.to_xen.at(0) === 1) || presses !== row.presses.at(0))
    facts.push({ type: 'console_io.switched', to_xen: toXen, presses });
  if (typed !== '') facts.push({ type: 'console_io.received', text: typed }, ...raiseGlobalVirq(xen, VIRQ.CONSOLE, now, guest));
  if (lines.length > 0 && keys === '') facts.push(...printk(xen, now, guest, lines, always));
  if (keys !== '') facts.push(...press(xen, 0, keys, now, guest));
  return accept({}, ...facts);
}
