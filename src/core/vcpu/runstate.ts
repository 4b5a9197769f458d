// struct vcpu_runstate_info in the area that a vCPU has registered (xen/arch/x86/domain.c, update_runstate_area()). Where a guest asks
// for XEN_RUNSTATE_UPDATE it is set and cleared again within one step, so nobody ever sees it.
import type { DomId, Ns } from '../../../events/units.ts';
import { RUNSTATE, vcpu_runstate_info } from '../../abi/vcpu.ts';
import type { Frames } from '../../memory/memory.ts';
import { writeArea } from '../p2m/area.ts';
import type { Xen } from '../xen.ts';

type Runstate = keyof typeof RUNSTATE;
const names: readonly Runstate[] = ['running', 'runnable', 'blocked', 'offline'];

interface RunstateInfo {
  readonly state: Runstate;
  readonly entry_ns: Ns;
  /** By name, in Xen's order. */
  readonly time: readonly Ns[];
}

/** As it will be when the vCPU has entered `state`. */
export function entering(xen: Xen, domid: DomId, vcpu: number, state: Runstate, at: Ns): RunstateInfo {
  const entry_ns = Math.max(at, xen.sched.vcpu.of(domid)!.entry_ns.at(vcpu));
  return { state, entry_ns, time: times(xen, domid, vcpu, at) };
}

/** As it is: one that runs learns what it had when it began to, the others what they have until now. */
export function registered(xen: Xen, domid: DomId, vcpu: number, at: Ns): RunstateInfo {
  const rows = xen.sched.vcpu.of(domid)!;
  const state = rows.runstate.is(vcpu);
  const entry_ns = rows.entry_ns.at(vcpu);
  return state === 'none'
    ? { state: 'offline', entry_ns, time: [0, 0, 0, 0] }
    : { state, entry_ns, time: times(xen, domid, vcpu, state === 'running' ? entry_ns : at) };
}

/** The times in each state, with the present one's until `at`. */
function times(xen: Xen, domid: DomId, vcpu: number, at: Ns): Ns[] {
  const rows = xen.sched.vcpu.of(domid)!;
  const present = rows.detached.at(vcpu) === 1 ? 'none' : rows.runstate.is(vcpu);
  const spell = Math.max(0, at - rows.entry_ns.at(vcpu));
  return names.map((name) => rows[`time_${name}`].at(vcpu) + (name === present ? spell : 0));
}

const { x86_64, x86_32 } = vcpu_runstate_info;
export const runstateSize = (xen: Xen, domid: DomId): number => (xen.is32bit(domid) ? x86_32 : x86_64).size;

export function writeRunstate(
  xen: Xen,
  frames: Frames,
  { domid, vcpu }: { domid: DomId; vcpu: number },
  { state, entry_ns, time }: RunstateInfo,
  addr = xen.sched.vcpu.of(domid)!.runstate_addr_plus_1.at(vcpu) - 1,
): void {
  const layout = xen.is32bit(domid) ? x86_32 : x86_64;
  const bytes = new Uint8Array(layout.size);
  layout.write(bytes, { state: RUNSTATE[state], state_entry_time: BigInt(entry_ns), time: time.map((ns) => BigInt(ns)) });
  writeArea(xen, frames, domid, addr, bytes);
}
