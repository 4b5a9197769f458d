// sched_op, vcpu_op and set_timer_op (xen/common/sched/core.c, xen/common/domain.c, xen/arch/x86/domain.c).

import { shutdownReason } from '../../events/domain.ts';
import { errnoNumber } from '../../events/errno.ts';
import { evtchn_port_t } from '../abi/scalars.ts';
import { SCHEDOP, sched_pin_override, sched_poll, sched_remote_shutdown, sched_shutdown, sched_watchdog } from '../abi/sched.ts';
import * as abi from '../abi/vcpu.ts';
import { RUNSTATE, VCPUOP } from '../abi/vcpu.ts';
import { infoFrame, infoOffset, UPCALL_MASK } from '../core/evtchn/pending.ts';
import { type Call, done, type Result, uint } from './call.ts';
import { type Codec, type Codecs, codec, EFAULT, perform, Refusal, unsigned } from './codec.ts';
import { contextAt, hvmFlaw } from './context.ts';
import type { Plain } from './guest-memory.ts';

/** Xen's own limit to what a vCPU polls for. */
const MAX_POLLED = 128;

export const schedOp: Codecs = {
  [SCHEDOP.yield]: codec('sched.yield'),
  [SCHEDOP.block]: codec('sched.block', undefined, {
    // To block is to take upcalls (vcpu_block_enable_events()).
    write(_answer, _given, { xen, port, caller: { domid, vcpu } }) {
      const info = infoFrame(xen, domid, vcpu);
      if (info >= 0) port.memory.put8(info, infoOffset(xen, domid, vcpu) + UPCALL_MASK, 0);
      return true;
    },
  }),
  [SCHEDOP.poll]: codec('sched.poll', sched_poll, {
    args: {
      timeout_ns: 'timeout',
      ports({ ports, nr_ports }, { guest }) {
        if ((nr_ports as number) > MAX_POLLED) return new Refusal('EINVAL');
        const list = guest.list(evtchn_port_t, ports as bigint, nr_ports as number);
        return list.length === nr_ports ? list : EFAULT;
      },
    },
  }),
  [SCHEDOP.remote_shutdown]: codec('sched.remote_shutdown', sched_remote_shutdown, {
    args: { domain: 'domain_id', code: ({ reason }) => (reason as number) & 0xff },
  }),
  [SCHEDOP.shutdown_code]: codec('sched.shutdown_code', sched_shutdown, {
    args: { code: ({ reason }) => (reason as number) & 0xff },
  }),
  [SCHEDOP.pin_override]: codec('sched.pin_override', sched_pin_override),
  [SCHEDOP.watchdog]: codec('sched.watchdog', sched_watchdog, { rc: 'id' }),
};
const shutdown = codec('sched.shutdown', sched_shutdown, { args: { reason: ({ reason }) => (reason as number) & 0xff } });
const shutdownWith = codec('sched.shutdown_with', sched_shutdown, { args: { code: ({ reason }) => (reason as number) & 0xff } });

/** sched_op(shutdown): a reason is a byte, and most bytes have no name. */
export function performShutdown(call: Call, pointer: bigint): Result {
  const given = call.guest.read(sched_shutdown, pointer);
  const isNamed = given !== undefined && ((given['reason'] as number) & 0xff) < shutdownReason.names!.length;
  return perform(call, isNamed ? shutdown : shutdownWith, pointer, SCHEDOP.shutdown);
}

/** The byte address of an area that outlives the call. */
const area = ({ addr }: Plain, { guest }: Call): unknown => guest.physical((addr as { h: bigint }).h) ?? EFAULT;

/** `vcpuid`, the second argument of vcpu_op. */
const vcpuid = (_: Plain, call: Call): number => uint(call.arg(1));
const vcpuCodec = (command: Codec['command'], struct?: Codec['struct'], { args = {}, ...rest }: Partial<Codec> = {}): Codec =>
  codec(command, struct, { ...rest, args: { vcpu: vcpuid, ...args } });

export const vcpuOp: Codecs = {
  [VCPUOP.initialise]: vcpuCodec('vcpu.initialise_from', undefined, {
    args: {
      context(given, call) {
        const { xen, caller } = call;
        // One that can hear nothing is refused without a look.
        const isRefused = infoFrame(xen, caller.domid, vcpuid(given, call)) < 0;
        return isRefused ? new Uint8Array(0) : contextAt(call, caller.domid, call.arg(2));
      },
    },
  }),
  [VCPUOP.up]: vcpuCodec('vcpu.up'),
  [VCPUOP.down]: vcpuCodec('vcpu.down'),
  [VCPUOP.is_up]: vcpuCodec('vcpu.is_up', undefined, { rc: 'up' }),
  [VCPUOP.get_runstate_info]: vcpuCodec('vcpu.get_runstate_info', undefined, {
    write: ({ state, state_entry_time, time }, _, call) =>
      call.guest.write(abi.vcpu_runstate_info, call.arg(2), {
        state: RUNSTATE[state as keyof typeof RUNSTATE],
        state_entry_time: BigInt(state_entry_time as number),
        time: (time as readonly number[]).map((ns) => BigInt(ns)),
      }),
  }),
  [VCPUOP.register_runstate_memory_area]: vcpuCodec(
    'vcpu.register_runstate_memory_area',
    abi.vcpu_register_runstate_memory_area,
    { args: { addr: area } },
  ),
  [VCPUOP.register_vcpu_time_memory_area]: vcpuCodec('vcpu.register_vcpu_time_memory_area', abi.vcpu_register_time_memory_area, {
    args: { addr: area },
  }),
  [VCPUOP.set_periodic_timer]: vcpuCodec('vcpu.set_periodic_timer', abi.vcpu_set_periodic_timer, {
    args: { period_ns: unsigned('period_ns') },
  }),
  [VCPUOP.stop_periodic_timer]: vcpuCodec('vcpu.stop_periodic_timer'),
  [VCPUOP.set_singleshot_timer]: vcpuCodec('vcpu.set_singleshot_timer', abi.vcpu_set_singleshot_timer, {
    args: {
      timeout_abs_ns: unsigned('timeout_abs_ns'),
      future: ({ flags }) => ((flags as number) & abi.VCPU_SSHOTTMR_future) !== 0,
    },
  }),
  [VCPUOP.stop_singleshot_timer]: vcpuCodec('vcpu.stop_singleshot_timer'),
  [VCPUOP.register_vcpu_info]: vcpuCodec('vcpu.register_vcpu_info', abi.vcpu_register_vcpu_info, {
    args: { current: (_, { caller }) => caller.vcpu },
  }),
  [VCPUOP.get_physid]: vcpuCodec('vcpu.get_physid', undefined, {
    write: ({ phys_id }, _, call) => call.guest.write(abi.vcpu_get_physid, call.arg(2), { phys_id: BigInt(phys_id as number) }),
  }),
  [VCPUOP.send_nmi]: vcpuCodec('vcpu.send_nmi', undefined, {
    // It takes no structure, and one that is given was meant for something else.
    args: { vcpu: (given, call) => (call.arg(2) === 0n ? vcpuid(given, call) : new Refusal('EINVAL')) },
  }),
};

/** Sub-operations that a vCPU may only ask for itself. */
const forOneself: readonly number[] = [VCPUOP.set_singleshot_timer, VCPUOP.stop_singleshot_timer];

export function performVcpuOp(call: Call): Result {
  const cmd = uint(call.arg(0));
  const target = uint(call.arg(1));
  if (!call.xen.hasVcpu(call.caller.domid, target)) return call.refuse('ENOENT', cmd);
  if (forOneself.includes(cmd) && target !== call.caller.vcpu) return call.refuse('EINVAL', cmd);
  const isHvm = call.xen.domain.of(0)!.hvm.at(call.caller.domid) === 1;
  const codec = cmd === VCPUOP.initialise && isHvm ? initialiseHvm : vcpuOp[cmd];
  return codec ? perform(call, codec, call.arg(2), cmd) : call.refuse('ENOSYS', cmd);
}

/** An HVM guest gives a mode and registers, of which only their being right counts here. */
const initialiseHvm = vcpuCodec('vcpu.initialise', undefined, {
  args: {
    vcpu(given, call) {
      const { xen, caller } = call;
      const target = vcpuid(given, call);
      const isRefused = infoFrame(xen, caller.domid, target) < 0;
      const flaw = isRefused ? undefined : hvmFlaw(call, call.arg(2));
      const hasBegun = xen.sched.vcpu.of(caller.domid)!.initialised.at(target) === 1;
      return flaw === undefined || (hasBegun && flaw !== EFAULT) ? target : flaw;
    },
  },
});

/** The time stands in one register, or in two halves. */
export function performSetTimer(call: Call): Result {
  const { domid, vcpu, width } = call.caller;
  const timeout = BigInt.asIntN(64, width === 64 ? call.arg(0) : (call.arg(1) << 32n) | call.arg(0));
  const limit = BigInt(Number.MAX_SAFE_INTEGER);
  const timeout_ns = Number(timeout > limit ? limit : timeout < -limit ? -limit : timeout);
  const outcome = call.step({ type: 'timer.set_timer_op', domid, vcpu, timeout_ns });
  return done(outcome.ok ? 0 : errnoNumber(outcome.errno));
}
