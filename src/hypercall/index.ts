// The guest boundary in binary: a hypercall's number and registers, taken apart into commands; their answers, put back.

import { HYPERVISOR } from '../abi/hypercall.ts';
import { SCHEDOP } from '../abi/sched.ts';
import { Call, type Caller, type Port, type Result, uint } from './call.ts';
import { type Codecs, perform } from './codec.ts';
import { performDmOp } from './dm.ts';
import { performDomctl } from './domctl.ts';
import { eventChannelOp } from './event-channel.ts';
import { performGrantTableOp } from './grant-table.ts';
import { bareHvmOp, hvmOp, performConsoleIo, physdevOp, takesNothing } from './machine.ts';
import { performMemoryOp } from './memory.ts';
import { callbackOp, mmCalls, nmiOp } from './mm.ts';
import { performMulticall } from './multicall.ts';
import { performPlatformOp } from './platform.ts';
import { performSetTimer, performShutdown, performVcpuOp, schedOp } from './scheduling.ts';
import { performSysctl } from './sysctl.ts';
import { performVersion } from './version.ts';

/** Those whose first argument is the sub-operation and whose second points at its structure. */
const plain: Readonly<Record<number, Codecs>> = {
  [HYPERVISOR.event_channel_op]: eventChannelOp,
  [HYPERVISOR.sched_op]: schedOp,
  [HYPERVISOR.physdev_op]: physdevOp,
  [HYPERVISOR.hvm_op]: hvmOp,
  [HYPERVISOR.callback_op]: callbackOp,
  [HYPERVISOR.nmi_op]: nmiOp,
};

const others: Readonly<Record<number, (call: Call) => Result>> = {
  [HYPERVISOR.memory_op]: performMemoryOp,
  [HYPERVISOR.multicall]: (call) => performMulticall(call, performCall),
  [HYPERVISOR.console_io]: performConsoleIo,
  [HYPERVISOR.set_timer_op]: performSetTimer,
  [HYPERVISOR.xen_version]: (call) => performVersion(call, uint(call.arg(0))),
  [HYPERVISOR.grant_table_op]: performGrantTableOp,
  [HYPERVISOR.vcpu_op]: performVcpuOp,
  [HYPERVISOR.sysctl]: performSysctl,
  [HYPERVISOR.domctl]: performDomctl,
  [HYPERVISOR.platform_op]: performPlatformOp,
  [HYPERVISOR.dm_op]: performDmOp,
  ...Object.fromEntries(
    Object.entries(mmCalls).map(([name, perform_]) => [HYPERVISOR[name as keyof typeof HYPERVISOR], perform_]),
  ),
};

/**
 * One hypercall of a guest's. `args` are its registers in the order of the calling convention (public/arch-x86/xen-x86_64.h, xen-x86_32.h),
 * as unsigned numbers; what is missing is 0. Takes a step for each operation asked for, through `port`; whatever the guest says, there is an
 * answer: -errno in `rc`, never an exception.
 */
export function hypercall(port: Port, caller: Caller, number: number, args: readonly bigint[]): Result {
  return performCall(new Call(port, caller, number, args));
}

/** The same call until it is done, however often it has to go on. What it returns. */
export function completeHypercall(port: Port, caller: Caller, number: number, args: readonly bigint[]): number {
  for (let call = { number, args }; ; ) {
    const result = hypercall(port, caller, call.number, call.args);
    if (result.done) return result.rc;
    call = result.continuation as typeof call;
  }
}

function performCall(call: Call): Result {
  const { number } = call;
  const perform_ = Object.hasOwn(others, number) ? others[number] : undefined;
  if (perform_) return perform_(call);
  const codecs = Object.hasOwn(plain, number) ? plain[number] : undefined;
  if (codecs === undefined) return call.refuse(number === HYPERVISOR.xenpmu_op ? 'EOPNOTSUPP' : 'ENOSYS');
  const cmd = uint(call.arg(0));
  const at = call.arg(1);
  if (codecs === schedOp && cmd === SCHEDOP.shutdown) return performShutdown(call, at);
  if (codecs === hvmOp && bareHvmOp[cmd])
    return takesNothing(call) ? perform(call, bareHvmOp[cmd], at, cmd) : call.refuse('EINVAL', cmd);
  const codec = codecs[cmd];
  return codec ? perform(call, codec, at, cmd) : call.refuse('ENOSYS', cmd);
}

export type { Caller, Continuation, Port, Result } from './call.ts';
export { type AddressSpace, pseudoPhysical } from './guest-memory.ts';
