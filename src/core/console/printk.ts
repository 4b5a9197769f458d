// Messages of Xen (xen/drivers/char/console.c, printk() and guest_printk()): which of them are printed, and what they look like.
import type { GuestReader } from '../../../events/step.ts';
import { type DomId, MS, type Ns } from '../../../events/units.ts';
import type { Fact } from '../../../events/vocabulary.ts';
import { VIRQ } from '../../abi/virq.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import type { Xen } from '../xen.ts';
import { FULL_TOKENS, RATELIMIT_MS } from './state.ts';

/** XENLOG_*: the index is the level. */
const LEVELS = ['error', 'warning', 'info', 'debug'] as const;

export interface Line {
  readonly level?: (typeof LEVELS)[number];
  /** What a guest can make Xen say has thresholds of its own (XENLOG_G_*). */
  readonly guest?: true;
  /** Said by a domain and not by Xen. */
  readonly by?: DomId;
  readonly text: string;
}

/** Messages that can not wait for their level: a key was pressed to see them. */
export const always = 'always';

/**
 * What printing some lines leads to; nothing where their level is not printed. All lines of a step are printed by one call: each is
 * limited by those before it.
 */
export function printk(xen: Xen, now: Ns, guest: GuestReader, lines: readonly Line[], when?: typeof always): Fact[] {
  const { lower, upper, guest_lower, guest_upper } = xen.console.thresholds;
  let account: Account | undefined;
  let text = '';
  for (const line of lines) {
    const level = LEVELS.indexOf(line.level ?? 'warning');
    if (when !== always && level >= (line.guest ? guest_lower : lower)) {
      if (level >= (line.guest ? guest_upper : upper)) continue;
      account = ask(account ?? accountOf(xen), Math.floor(now / MS));
      if (!account.passes) continue;
      if (account.lost > 0) text += `(XEN) printk: ${account.lost} messages suppressed.\n`;
    }
    text += `${line.by === undefined ? '(XEN) ' : `(d${line.by}) `}${line.text}\n`;
  }
  const facts: Fact[] = [];
  if (account !== undefined)
    facts.push({ type: 'conring.limited', at_ms: account.at_ms, tokens: account.tokens, missed: account.missed });
  if (text !== '') facts.push({ type: 'conring.printed', text }, ...raiseGlobalVirq(xen, VIRQ.CON_RING, now, guest));
  return facts;
}

/** Lines in the words of a key's answer. */
export const said = (...texts: readonly string[]): Line[] => texts.map((text) => ({ text }));

interface Account {
  readonly at_ms: number;
  readonly tokens: number;
  readonly missed: number;
  /** Whether the message that asked is printed, and how many before it were not. */
  readonly passes: boolean;
  readonly lost: number;
}

function accountOf(xen: Xen): Account {
  const row = xen.console.row.of(0)!;
  const tokens = FULL_TOKENS - row.spent.at(0);
  return { at_ms: row.limited_at_ms.at(0), tokens, missed: row.missed.at(0), passes: true, lost: 0 };
}

/** __printk_ratelimit(): a token for each millisecond, and so many for a message. */
function ask({ at_ms, tokens, missed }: Account, ms: number): Account {
  const full = Math.min(tokens + ms - at_ms, FULL_TOKENS);
  return full >= RATELIMIT_MS
    ? { at_ms: ms, tokens: full - RATELIMIT_MS, missed: 0, passes: true, lost: missed }
    : { at_ms: ms, tokens: full, missed: missed + 1, passes: false, lost: 0 };
}
