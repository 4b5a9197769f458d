// All that can be done to the hypervisor: rightly by acts that know what there is, wrongly by the vocabulary's own.
import * as fc from 'fast-check';
import { operations as conring } from '../../../events/conring.ts';
import { operations as control } from '../../../events/control.ts';
import { operations as cpupool } from '../../../events/cpupool.ts';
import { operations as domain } from '../../../events/domain.ts';
import { operations as evtchn } from '../../../events/evtchn.ts';
import { operations as gnttab } from '../../../events/gnttab.ts';
import { operations as hvm } from '../../../events/hvm.ts';
import { operations as hypercall } from '../../../events/hypercall.ts';
import { operations as mm } from '../../../events/mm.ts';
import { operations as p2m } from '../../../events/p2m.ts';
import { operations as physdev } from '../../../events/physdev.ts';
import { operations as platform } from '../../../events/platform.ts';
import { operations as sched } from '../../../events/sched.ts';
import { operations as time } from '../../../events/time.ts';
import { operations as timer } from '../../../events/timer.ts';
import { operations as trace } from '../../../events/trace.ts';
import { operations as vcpu } from '../../../events/vcpu.ts';
import { operations as xenVersion } from '../../../events/xen-version.ts';
import type { CoreCommand } from '../../../src/core/index.ts';
import { type Act, type Acts, act } from './act.ts';
import { consoleActs, controlActs, dmActs, machineActs } from './control.ts';
import { cpupoolActs } from './cpupool.ts';
import { domainActs } from './domain.ts';
import { evtchnActs } from './evtchn.ts';
import { gnttabActs, politeGnttabActs } from './gnttab.ts';
import { hypercallActs } from './hypercall.ts';
import { memoryActs } from './memory.ts';
import { mmActs } from './mm.ts';
import { schedActs } from './sched.ts';
import { timerActs } from './timer.ts';
import { anyCommand } from './vocabulary.ts';

/** Any core command with any arguments. */
export const anyCoreCommand: fc.Arbitrary<CoreCommand> = anyCommand<CoreCommand>({
  ...p2m,
  ...mm,
  ...sched,
  ...vcpu,
  ...evtchn,
  ...timer,
  ...time,
  ...hypercall,
  ...gnttab,
  ...domain,
  ...cpupool,
  ...physdev,
  ...xenVersion,
  ...conring,
  ...control,
  ...hvm,
  ...platform,
  ...trace,
});

const wrongActs: readonly Acts[] = [act(anyCoreCommand, (_, command) => [command])];

/** Those of one subsystem, and those that break the rules. */
export const coreActs: readonly Acts[] = [
  ...domainActs,
  ...memoryActs,
  ...mmActs,
  ...evtchnActs,
  ...gnttabActs,
  ...schedActs,
  ...cpupoolActs,
  ...timerActs,
  ...controlActs,
  ...dmActs,
  ...machineActs,
  ...consoleActs,
  ...hypercallActs,
  ...wrongActs,
];

/** Runs of acts, each with another part of all acts (swarm): what never happens together otherwise does so now. */
export const coreRuns: fc.Arbitrary<Iterable<Act>> = fc
  .subarray([...coreActs], { minLength: 8 })
  .chain((some) => fc.commands(some, { maxCommands: 120, size: 'max' }));

/** Grants and what becomes of the domains, by guests that leave alone what Xen writes into their grant tables. */
export const politeRuns: fc.Arbitrary<Iterable<Act>> = fc
  .subarray([...politeGnttabActs, ...domainActs, ...memoryActs], { minLength: 8 })
  .chain((some) => fc.commands(some, { maxCommands: 120, size: 'max' }));
