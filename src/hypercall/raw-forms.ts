// Which operations of the vocabulary have a form in bytes: the tables once more, by operation instead of by number.
import type { CommandType } from '../../events/vocabulary.ts';
import { operations } from '../../events/vocabulary.ts';
import { XEN_DOMCTL_INTERFACE_VERSION, XEN_DOMCTL_U } from '../abi/domctl.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { XEN_SYSCTL_INTERFACE_VERSION, XEN_SYSCTL_U } from '../abi/sysctl.ts';
import { VCPUOP } from '../abi/vcpu.ts';
import { type Codecs, toNumber } from './codec.ts';
import { domctlOp, sysctlOp } from './control.ts';
import { eventChannelOp } from './event-channel.ts';
import { listed, plain, single } from './grant-table.ts';
import { hvmOp, physdevOp } from './machine.ts';
import { memoryOp } from './memory.ts';
import { callbackOp, nmiOp } from './mm.ts';
import { schedOp, vcpuOp } from './scheduling.ts';
import { xenVersion } from './version.ts';

export interface RawForm {
  readonly number: number;
  readonly cmd: number;
  /** The registers, for a structure at a pointer. `target` is the vCPU that is meant, where that stands in a register. */
  args(pointer: bigint, target: bigint): readonly bigint[];
  /** What must stand before the sub-operation's own structure. */
  readonly head: ((put: (offset: number, value: number) => void) => void) | undefined;
  /**
   * A structure of these numbers, and what a command says that was read from it; undefined where its fields are more than copies of the
   * structure's. For tests.
   */
  sample(width: 32 | 64, next: () => number): { struct: Uint8Array; command: Readonly<Record<string, unknown>> } | undefined;
}

type Arguments = (cmd: number) => (pointer: bigint, target: bigint) => readonly bigint[];
const cmdPointer: Arguments = (cmd) => (pointer) => [BigInt(cmd), pointer];
const cmdPointerOne: Arguments = (cmd) => (pointer) => [BigInt(cmd), pointer, 1n];
/** send_nmi wants no pointer. */
const cmdTargetPointer: Arguments = (cmd) => (pointer, target) => [BigInt(cmd), target, cmd === VCPUOP.send_nmi ? 0n : pointer];
const pointerOnly: Arguments = () => (pointer) => [pointer];

const tables: readonly (readonly [number: number, codecs: Codecs, args: Arguments, version?: number, payload?: number])[] = [
  [HYPERVISOR.event_channel_op, eventChannelOp, cmdPointer],
  [HYPERVISOR.sched_op, schedOp, cmdPointer],
  [HYPERVISOR.callback_op, callbackOp, cmdPointer],
  [HYPERVISOR.nmi_op, nmiOp, cmdPointer],
  [HYPERVISOR.vcpu_op, vcpuOp, cmdTargetPointer],
  [HYPERVISOR.xen_version, xenVersion, cmdPointer],
  [HYPERVISOR.physdev_op, physdevOp, cmdPointer],
  [HYPERVISOR.hvm_op, hvmOp, cmdPointer],
  [HYPERVISOR.memory_op, memoryOp, cmdPointer],
  [HYPERVISOR.grant_table_op, listed, cmdPointerOne],
  [HYPERVISOR.grant_table_op, single, cmdPointerOne],
  [HYPERVISOR.grant_table_op, plain, cmdPointerOne],
  [HYPERVISOR.domctl, domctlOp, pointerOnly, XEN_DOMCTL_INTERFACE_VERSION, XEN_DOMCTL_U],
  [HYPERVISOR.sysctl, sysctlOp, pointerOnly, XEN_SYSCTL_INTERFACE_VERSION, XEN_SYSCTL_U],
];

/** By operation. Those without a structure of their own in a table (set_timer_op, multicall, lists of memory_op) are not in here. */
export const rawForms: Readonly<Partial<Record<CommandType, RawForm>>> = Object.fromEntries(
  tables.flatMap(([number, codecs, args, version, payload = 0]) =>
    Object.entries(codecs).map(([key, codec]): [CommandType, RawForm] => {
      const cmd = Number(key);
      const head =
        version === undefined
          ? undefined
          : (put: (offset: number, value: number) => void): void => {
              put(0, cmd);
              put(4, version);
            };
      return [
        codec.command,
        {
          number,
          cmd,
          args: args(cmd),
          head,
          sample(width, next) {
            const layout = codec.struct?.[width === 64 ? 'x86_64' : 'x86_32'];
            if (layout === undefined || codec.args !== undefined) return undefined;
            const struct = new Uint8Array(payload + layout.size);
            const command: Record<string, unknown> = { type: codec.command };
            const written: Record<string, unknown> = {};
            const shape = layout.read(struct, payload) as Readonly<Record<string, unknown>>;
            for (const [name, { kind }] of Object.entries(operations[codec.command].args)) {
              // Whom a domctl is about stands in its head.
              if (!(name in shape) || name === 'domid' || (name === 'domain' && head)) continue;
              if (kind !== 'int') return undefined;
              const one = next();
              written[name] = typeof shape[name] === 'bigint' ? BigInt(one) : one;
              layout.write(struct, written, payload);
              // What the field can hold of it.
              command[name] = toNumber((layout.read(struct, payload) as Readonly<Record<string, bigint>>)[name]!);
            }
            const view = new DataView(struct.buffer);
            head?.((offset, value) => view.setUint32(offset, value, true));
            return { struct, command };
          },
        },
      ];
    }),
  ),
);
