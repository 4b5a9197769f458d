// Which operations of the vocabulary have a form in bytes: the tables once more, by operation instead of by number.
import type { CommandType } from '../../events/vocabulary.ts';
import { operations } from '../../events/vocabulary.ts';
import { XEN_DOMCTL_INTERFACE_VERSION, XEN_DOMCTL_U } from '../abi/domctl.ts';
import { HYPERVISOR } from '../abi/hypercall.ts';
import { XENPF_INTERFACE_VERSION, XENPF_U } from '../abi/platform.ts';
import { XEN_SYSCTL_INTERFACE_VERSION, XEN_SYSCTL_U } from '../abi/sysctl.ts';
import { VCPUOP } from '../abi/vcpu.ts';
import { type Codecs, toNumber } from './codec.ts';
import { dmOp } from './dm.ts';
import { domctlOp } from './domctl.ts';
import { eventChannelOp } from './event-channel.ts';
import { listed, plain, single } from './grant-table.ts';
import { hvmOp, physdevOp } from './machine.ts';
import { memoryOp } from './memory.ts';
import { callbackOp, nmiOp } from './mm.ts';
import { platformOp } from './platform.ts';
import { schedOp, vcpuOp } from './scheduling.ts';
import { sysctlOp } from './sysctl.ts';
import { xenVersion } from './version.ts';

export interface RawForm {
  readonly number: number;
  readonly cmd: number;
  /** The registers, for a structure at a pointer. `target` is the vCPU that is meant, where that stands in a register. */
  args(pointer: bigint, target: bigint): readonly bigint[];
  /** What must stand before the sub-operation's own structure, in words; `pointer` and `width` are those of the call. */
  readonly head: Head | undefined;
  /**
   * A structure of these numbers, and what a command says that was read from it; undefined where its fields are more than copies of the
   * structure's. For tests.
   */
  sample(width: 32 | 64, next: () => number): { struct: Uint8Array; command: Readonly<Record<string, unknown>> } | undefined;
}

type Head = (put: (offset: number, value: number) => void, pointer: number, width: 32 | 64) => void;
type Arguments = (cmd: number) => (pointer: bigint, target: bigint) => readonly bigint[];
const cmdPointer: Arguments = (cmd) => (pointer) => [BigInt(cmd), pointer];
const cmdPointerOne: Arguments = (cmd) => (pointer) => [BigInt(cmd), pointer, 1n];
/** send_nmi wants no pointer. */
const cmdTargetPointer: Arguments = (cmd) => (pointer, target) => [BigInt(cmd), target, cmd === VCPUOP.send_nmi ? 0n : pointer];
const pointerOnly: Arguments = () => (pointer) => [pointer];
/** dm_op has two buffers: that of the sub-operation, and one beyond it. */
const twoBuffers: Arguments = () => (pointer, target) => [target, 2n, pointer];
const BUFFERS = 0x40;
const buffers =
  (cmd: number): Head =>
  (put, pointer, width) => {
    const words = width === 64 ? [pointer + BUFFERS, 0, 4096, 0, pointer, 0, 64, 0] : [pointer + BUFFERS, 4096, pointer, 64];
    for (const [i, word] of [...words, ...Array<number>(16 - words.length).fill(0), cmd, 0].entries()) put(i * 4, word);
  };

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
  [HYPERVISOR.dm_op, dmOp, twoBuffers],
  [HYPERVISOR.platform_op, platformOp, pointerOnly, XENPF_INTERFACE_VERSION, XENPF_U],
];

/** By operation. Those without a structure of their own in a table (set_timer_op, multicall, lists of memory_op) are not in here. */
export const rawForms: Readonly<Partial<Record<CommandType, RawForm>>> = Object.fromEntries(
  tables.flatMap(([number, codecs, args, version, payload = 0]) =>
    Object.entries(codecs).map(([key, codec]): [CommandType, RawForm] => {
      const cmd = Number(key);
      const head: Head | undefined =
        number === HYPERVISOR.dm_op
          ? buffers(cmd)
          : version === undefined
            ? undefined
            : (put) => {
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
            head?.((offset, value) => view.setUint32(offset, value, true), 0, width);
            return { struct, command };
          },
        },
      ];
    }),
  ),
);
