// CONTROL: the commands of xenstore-control that concern a store (docs/misc/xenstore.txt, xenstored_control.c).
import { accept, refuse } from '../../events/step.ts';
import { atoi } from './numbers.ts';
import { acceptWith, type Outcome } from './outcome.ts';
import type { QuotaName } from './profiles.ts';
import type { XenStore } from './state.ts';

/** EINVAL: no such command, or arguments that it does not take. ENOENT: no such domain. */
export function control(store: XenStore, args: readonly string[]): Outcome {
  const [name = '', ...rest] = args;
  return commands.get(name)?.(store, rest) ?? refuse('EINVAL');
}

/** Answers nothing where it does not take the arguments. */
type Control = (store: XenStore, args: readonly string[]) => Outcome | undefined;

const done: Outcome = accept({ reply: 'OK' });
const takes =
  (count: number): Control =>
  (_, args) =>
    args.length === count ? done : undefined;

const commands = new Map<string, Control>([
  ['check', takes(0)],
  ['log', log],
  ['live-update', liveUpdate],
  ['logfile', takes(1)],
  // Without a file it goes where the trace goes, and here that is nowhere.
  ['memreport', (_, args) => (args.length === 1 && args[0] !== '' ? done : undefined)],
  ['print', takes(1)],
  ['quota', quota],
  ['quota-soft', softQuota],
  ['help', (_, args) => (args.length === 0 ? accept({ reply: help }) : undefined)],
]);

const help = [
  'check                          look whether the store is consistent',
  'log [on|off|+SWITCH|-SWITCH]   what the daemon traces',
  'live-update ...                refused: this daemon goes on where it was stopped instead',
  'logfile FILE                   where it traces to',
  'memreport FILE                 accepted, and nothing is written',
  'print TEXT                     writes into the trace',
  'quota [set NAME VALUE|DOMID]   quotas, or what a domain uses of them',
  'quota-soft [set NAME VALUE]    quotas that are only noted',
  'help                           this list',
  '',
].join('\n');

function log({ profile, settings }: XenStore, [name, ...rest]: readonly string[]): Outcome | undefined {
  const { traceSwitches } = profile;
  if (rest.length > 0) return undefined;
  if (name === undefined) {
    if (traceSwitches.length === 0) return undefined;
    const lines = traceSwitches.map((each) => `${each.padEnd(8)}: ${settings.traces.includes(each) ? 'on' : 'off'}\n`);
    return accept({ reply: `Tracing:\n${lines.join('')}` });
  }
  if (name === 'on' || name === 'off') return done;
  const [sign, which] = [name.charAt(0), name.slice(1)];
  if (!traceSwitches.includes(which) || (sign !== '+' && sign !== '-')) return undefined;
  const switches = traceSwitches.filter((each) => (each === which ? sign === '+' : settings.traces.includes(each)));
  return acceptWith([{ type: 'xenstore.trace_set', switches }], { reply: 'OK' });
}

function quota(store: XenStore, args: readonly string[]): Outcome | undefined {
  const { controlQuotas } = store.profile;
  if (args.length === 0) return settingsOf(store, controlQuotas);
  if (args[0] === 'set') return set(args, controlQuotas);
  return args.length === 1 ? usage(store, atoi(args[0]!)) : undefined;
}

const softQuotas = [['memory', 'soft-memory']] as const;
function softQuota(store: XenStore, args: readonly string[]): Outcome | undefined {
  if (args.length === 0) return settingsOf(store, softQuotas);
  return args[0] === 'set' ? set(args, softQuotas) : undefined;
}

/** Its requests have their forms, and what goes wrong with one is told in words: only OK is success (xenstore-control). */
function liveUpdate(_: XenStore, [what, ...rest]: readonly string[]): Outcome | undefined {
  switch (what) {
    case '-a':
      return rest.length === 0 ? accept({ reply: 'there is no live update to abort' }) : undefined;
    case '-c':
      return rest.length === 1 ? accept({ reply: 'there is no live update' }) : undefined;
    case '-f':
      return rest.length === 1 ? accept({ reply: 'this daemon can not be replaced by another program' }) : undefined;
    case '-s': {
      for (let i = 0; i < rest.length; i++) {
        if (rest[i] === '-t' && i < rest.length - 1) i++;
        else if (rest[i] !== '-F') return undefined;
      }
      return accept({ reply: 'there is no live update' });
    }
    default:
      return undefined;
  }
}

type Shown = readonly (readonly [shown: string, name: QuotaName])[];

const line = (name: string, value: number, width: number): string => `${name.padEnd(width)}: ${`${value}`.padStart(8)}\n`;

function settingsOf({ settings }: XenStore, shown: Shown): Outcome {
  return accept({ reply: `Quotas of a domain:\n${shown.map(([text, name]) => line(text, settings.quotas[name], 17)).join('')}` });
}

function set([, name, text, ...rest]: readonly string[], shown: Shown): Outcome | undefined {
  const found = shown.find(([each]) => each === name)?.[1];
  const value = atoi(text ?? '') | 0;
  if (found === undefined || rest.length > 0 || value < 1) return undefined;
  return acceptWith([{ type: 'xenstore.quota_set', domid: -1, name: found, value }], { reply: 'OK' });
}

/** What a domain has of what there are quotas for. */
function usage(store: XenStore, domid: number): Outcome {
  if (!store.domains.has(domid)) return refuse('ENOENT');
  const connection = store.connections.get(domid);
  const used: readonly (readonly [string, number])[] = [
    ['nodes', store.tree.countOf(domid)],
    ['watches', connection?.watches.size ?? 0],
    ['transactions', connection?.transactions.size ?? 0],
    // Requests whose events somebody has not read yet; here each is done when it is answered.
    ['outstanding', 0],
    ['memory', store.memoryOf(domid)],
  ];
  return accept({ reply: `Domain ${domid}:\n${used.map(([name, value]) => line(name, value, 16)).join('')}` });
}
