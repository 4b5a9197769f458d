// Everything that can be asked and everything that can happen, put together from the subsystems. Types follow from the data.

import * as conring from './conring.ts';
import * as console from './console.ts';
import * as control from './control.ts';
import * as cpupool from './cpupool.ts';
import * as domain from './domain.ts';
import type { Errno } from './errno.ts';
import * as evtchn from './evtchn.ts';
import * as gnttab from './gnttab.ts';
import * as guest from './guest.ts';
import * as hvm from './hvm.ts';
import * as hypercall from './hypercall.ts';
import * as mm from './mm.ts';
import * as p2m from './p2m.ts';
import * as physdev from './physdev.ts';
import * as platform from './platform.ts';
import * as sched from './sched.ts';
import type { Fields, Message, Requests, Value } from './schema.ts';
import type { OutcomeOf, StepOf } from './step.ts';
import * as time from './time.ts';
import * as timer from './timer.ts';
import * as toolstack from './toolstack.ts';
import * as trace from './trace.ts';
import * as vbd from './vbd.ts';
import * as vcpu from './vcpu.ts';
import * as vif from './vif.ts';
import * as xenVersion from './xen-version.ts';
import * as xenbus from './xenbus.ts';
import * as xenstore from './xenstore.ts';

/** The vocabulary by its groups, as the files of this folder have them. */
export const groups = {
  p2m,
  sched,
  vcpu,
  evtchn,
  timer,
  gnttab,
  time,
  hypercall,
  domain,
  xenstore,
  xenbus,
  guest,
  console,
  vbd,
  vif,
  toolstack,
  mm,
  physdev,
  xenVersion,
  conring,
  control,
  hvm,
  platform,
  cpupool,
  trace,
} as const;
type Groups = typeof groups;
/** The commands of some groups, and their facts. */
export type CommandsOf<G extends keyof Groups> = G extends keyof Groups ? Requests<Groups[G]['operations']> : never;
export type FactsOf<G extends keyof Groups> = G extends keyof Groups
  ? Groups[G] extends { readonly facts: infer F extends Readonly<Record<string, Fields>> }
    ? Message<F>
    : never
  : never;

/** Both lists keep their order for ever: the log stores the index. New entries of a subsystem go to its end, in a new version. */
export const operations = {
  ...p2m.operations,
  ...sched.operations,
  ...vcpu.operations,
  ...evtchn.operations,
  ...timer.operations,
  ...gnttab.operations,
  ...time.operations,
  ...hypercall.operations,
  ...domain.operations,
  ...xenstore.operations,
  ...xenbus.operations,
  ...guest.operations,
  ...console.operations,
  ...vbd.operations,
  ...vif.operations,
  ...toolstack.operations,
  ...mm.operations,
  ...physdev.operations,
  ...xenVersion.operations,
  ...conring.operations,
  ...control.operations,
  ...hvm.operations,
  ...platform.operations,
  ...cpupool.operations,
  ...trace.operations,
} as const;

export const facts = {
  ...p2m.facts,
  ...sched.facts,
  ...vcpu.facts,
  ...evtchn.facts,
  ...timer.facts,
  ...gnttab.facts,
  ...time.facts,
  ...domain.facts,
  ...xenstore.facts,
  ...xenbus.facts,
  ...guest.facts,
  ...console.facts,
  ...vbd.facts,
  ...vif.facts,
  ...toolstack.facts,
  ...mm.facts,
  ...physdev.facts,
  ...conring.facts,
  ...control.facts,
  ...hvm.facts,
  ...platform.facts,
  ...cpupool.facts,
  ...trace.facts,
} as const;

export type MemoryCommand = Requests<typeof p2m.operations>;
export type SchedCommand = Requests<typeof sched.operations>;
export type VcpuCommand = Requests<typeof vcpu.operations>;
export type EvtchnCommand = Requests<typeof evtchn.operations>;
export type TimerCommand = Requests<typeof timer.operations>;
export type HypercallCommand = Requests<typeof hypercall.operations>;
export type TimeCommand = Requests<typeof time.operations>;
export type GnttabCommand = Requests<typeof gnttab.operations>;
export type DomainCommand = Requests<typeof domain.operations>;
export type MmCommand = Requests<typeof mm.operations>;
export type XenbusCommand = Requests<typeof xenbus.operations>;
export type GuestCommand = Requests<typeof guest.operations>;
export type ConsoleCommand = Requests<typeof console.operations>;
export type VbdCommand = Requests<typeof vbd.operations>;
export type VifCommand = Requests<typeof vif.operations>;
export type ToolstackCommand = Requests<typeof toolstack.operations>;
export type PhysdevCommand = Requests<typeof physdev.operations>;
export type VersionCommand = Requests<typeof xenVersion.operations>;
export type ConringCommand = Requests<typeof conring.operations>;
export type ControlCommand = Requests<typeof control.operations>;
export type HvmCommand = Requests<typeof hvm.operations>;
export type PlatformCommand = Requests<typeof platform.operations>;
export type CpupoolCommand = Requests<typeof cpupool.operations>;
export type TraceCommand = Requests<typeof trace.operations>;
export type Command = Requests<typeof operations>;
export type CommandType = Command['type'];
export type CommandOf<K extends CommandType> = Extract<Command, { type: K }>;

export type P2mFact = Message<typeof p2m.facts>;
export type SchedFact = Message<typeof sched.facts>;
export type VcpuFact = Message<typeof vcpu.facts>;
export type EvtchnFact = Message<typeof evtchn.facts>;
export type TimerFact = Message<typeof timer.facts>;
export type TimeFact = Message<typeof time.facts>;
export type GnttabFact = Message<typeof gnttab.facts>;
export type DomainFact = Message<typeof domain.facts>;
export type MmFact = Message<typeof mm.facts>;
export type XenbusFact = Message<typeof xenbus.facts>;
export type GuestFact = Message<typeof guest.facts>;
export type ConsoleFact = Message<typeof console.facts>;
export type VbdFact = Message<typeof vbd.facts>;
export type VifFact = Message<typeof vif.facts>;
export type ToolstackFact = Message<typeof toolstack.facts>;
export type PhysdevFact = Message<typeof physdev.facts>;
export type ConringFact = Message<typeof conring.facts>;
export type ControlFact = Message<typeof control.facts>;
export type HvmFact = Message<typeof hvm.facts>;
export type PlatformFact = Message<typeof platform.facts>;
export type CpupoolFact = Message<typeof cpupool.facts>;
export type TraceFact = Message<typeof trace.facts>;
export type Fact = Message<typeof facts>;
export type FactType = Fact['type'];
export type FactOf<K extends FactType> = Extract<Fact, { type: K }>;

export type AnswerOf<K extends CommandType> = Value<(typeof operations)[K]['returns']>;
export type Outcome = OutcomeOf<Fact>;
export type Step = StepOf<Command, Fact>;

/** What the issuer of a command is told when its step has settled: two types, so that a machine needs no guard and no narrowing. */
export type AcceptedOf<K extends CommandType> = { [T in K]: { readonly type: `accepted.${T}` } & AnswerOf<T> }[K];
export type RefusedOf<K extends CommandType> = {
  [T in K]: { readonly type: `refused.${T}`; readonly errno: Errno; readonly value?: AnswerOf<T> };
}[K];
export type Returned<K extends CommandType> = AcceptedOf<K> | RefusedOf<K>;

/** The return of a step, as its issuer sees it. */
export function returnOf({ command, outcome }: Pick<Step, 'command' | 'outcome'>): { readonly type: string } {
  if (outcome.ok) return { type: `accepted.${command.type}`, ...outcome.value };
  const { errno, value } = outcome;
  const type = `refused.${command.type}`;
  return value === undefined ? message({ type, errno }) : message({ type, errno, value });
}

const message = (fields: { readonly type: string; readonly [field: string]: unknown }): { readonly type: string } => fields;

export type { GuestReader } from './step.ts';
