// tb_control() (xen/common/trace.c), and which hypercalls are traced.
import { accept, type GuestReader, refuse } from '../../../events/step.ts';
import { type DomId, type Ns, PAGE_SIZE } from '../../../events/units.ts';
import type { Fact, Outcome, TraceCommand } from '../../../events/vocabulary.ts';
import { HYPERVISOR } from '../../abi/hypercall.ts';
import { VIRQ } from '../../abi/virq.ts';
import { printk } from '../console/printk.ts';
import { lastFree } from '../domain/pool.ts';
import { raiseGlobalVirq } from '../evtchn/decide.ts';
import { lastCpu } from '../platform/cpus.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { FIRST_OFFSET, frameAt, T_BUF_SIZE } from './state.ts';

const TBUFOP = { get_info: 0, set_cpu_mask: 1, set_evt_mask: 2, set_size: 3, enable: 4, disable: 5 } as const;

export function decide(xen: Xen, { domid, cmd, cpus, evt_mask, size }: TraceCommand, now: Ns, guest: GuestReader): Outcome {
  if (!isPrivileged(domid)) return refuse('EPERM');
  const { trace } = xen;
  const answer = { evt_mask: trace.mask, buffer_mfn: 0, size: 0 };
  switch (cmd) {
    case TBUFOP.get_info: {
      const info = trace.buffers?.info;
      return accept(info === undefined ? answer : { ...answer, buffer_mfn: info[0], size: info[1]! * PAGE_SIZE });
    }
    case TBUFOP.set_cpu_mask:
      return accept(answer, { type: 'trace.cpus_set', cpus: cpus.filter((cpu) => cpu >= 0 && cpu <= lastCpu(xen)) });
    case TBUFOP.set_evt_mask:
      return accept(answer, { type: 'trace.mask_set', evt_mask: evt_mask >>> 0 });
    case TBUFOP.set_size:
      return setSize(xen, size, now, guest);
    case TBUFOP.enable:
      return trace.pages === 0 ? refuse('EINVAL') : accept(answer, ...switched(xen, true));
    case TBUFOP.disable:
      return accept(answer, ...switched(xen, false));
    default:
      return refuse('EINVAL');
  }
}

const switched = (xen: Xen, enabled: boolean): Fact[] => (xen.trace.isOn === enabled ? [] : [{ type: 'trace.enabled', enabled }]);

/** alloc_trace_bufs(): once, and with as many pages as cons and prod, and the lists of t_info, can count. */
function setSize(xen: Xen, size: number, now: Ns, guest: GuestReader): Outcome {
  const { trace } = xen;
  if (trace.pages !== 0) return refuse(size === trace.pages ? 'EBUSY' : 'EINVAL');
  if (size <= 0 || size >= 2 ** 32) return refuse('EINVAL');
  const cpus = lastCpu(xen) + 1;
  const pages = Math.min(size, Math.floor((0xffff - FIRST_OFFSET) / Math.max(1, cpus - 1)), 0xffff);
  const infoPages = Math.ceil(((cpus * pages + FIRST_OFFSET) * 4) / PAGE_SIZE);
  const frames = lastFree(xen, infoPages + cpus * pages);
  const info = frames === undefined ? undefined : contiguous(frames, infoPages);
  if (frames === undefined || info === undefined)
    return refuse('ENOMEM', undefined, ...printk(xen, now, guest, [{ text: 'xentrace: not enough memory' }]));
  return accept(
    { evt_mask: trace.mask, buffer_mfn: info.taken, size: infoPages * PAGE_SIZE },
    { type: 'trace.buffers_allocated', pages, cpus, info: [info.taken, infoPages], buffers: info.rest },
    ...printk(xen, now, guest, [{ text: `xentrace: ${pages} pages for each of ${cpus} CPUs` }]),
  );
}

/** t_info is one piece: out of the first extent that has it. */
function contiguous(extents: readonly number[], wanted: number): { taken: number; rest: number[] } | undefined {
  for (let i = 0; i < extents.length; i += 2) {
    if (extents[i + 1]! < wanted) continue;
    const rest = [...extents];
    rest[i] = extents[i]! + wanted;
    rest[i + 1] = extents[i + 1]! - wanted;
    if (rest[i + 1] === 0) rest.splice(i, 2);
    return { taken: extents[i]!, rest };
  }
  return undefined;
}

/** Numbers of the hypercalls by the group of the vocabulary that stands for each. */
const numbers: Readonly<Record<string, number>> = {
  evtchn: HYPERVISOR.event_channel_op,
  gnttab: HYPERVISOR.grant_table_op,
  memory: HYPERVISOR.memory_op,
  sched: HYPERVISOR.sched_op,
  vcpu: HYPERVISOR.vcpu_op,
  timer: HYPERVISOR.set_timer_op,
  domctl: HYPERVISOR.domctl,
  sysctl: HYPERVISOR.sysctl,
  physdev: HYPERVISOR.physdev_op,
  platform: HYPERVISOR.platform_op,
  hvm: HYPERVISOR.hvm_op,
  dm: HYPERVISOR.dm_op,
  console_io: HYPERVISOR.console_io,
  xen_version: HYPERVISOR.xen_version,
};

/** Only while tracing is on: the outcome, with the hypercall before what it leads to, and with what dom0 is told of full buffers. */
export function traced(
  xen: Xen,
  command: { readonly type: string; readonly domid?: DomId },
  outcome: Outcome,
  now: Ns,
  guest: GuestReader,
): Outcome {
  const made = hypercallOf(xen, command, now);
  const passed = highwater(xen, now, guest);
  if (made.length + passed.length === 0) return outcome;
  return { ...outcome, events: [...made, ...(outcome.events ?? []), ...passed] };
}

/**
 * VIRQ_TBUF: a buffer is half full, whoever has filled it (__trace_var()). What a step leaves there is looked at in the next, as Xen's tasklet
 * comes after it.
 */
function highwater(xen: Xen, now: Ns, guest: GuestReader): Fact[] {
  const { buffers, pages, levels } = xen.trace;
  if (buffers === undefined) return [];
  const size = pages * PAGE_SIZE - T_BUF_SIZE;
  const { above } = levels.of(0)!;
  const facts: Fact[] = [];
  for (let cpu = 0; cpu < buffers.cpus; cpu++) {
    const frame = frameAt(buffers.buffers, cpu * pages);
    const used = unconsumed(guest.get32(frame, 0) >>> 0, guest.get32(frame, 4) >>> 0, size);
    const isAbove = used >= size >>> 1;
    if (isAbove !== (above.at(cpu) === 1)) facts.push({ type: 'trace.highwater_passed', cpu, above: isAbove });
  }
  return facts.some((fact) => fact.type === 'trace.highwater_passed' && fact.above)
    ? [...facts, ...raiseGlobalVirq(xen, VIRQ.TBUF, now, guest)]
    : facts;
}
/** What a tool that writes nonsense has not read is nothing (bogus()). */
function unconsumed(cons: number, prod: number, size: number): number {
  if (cons >= 2 * size || prod >= 2 * size || cons % 4 !== 0 || prod % 4 !== 0) return 0;
  return (prod - cons + 2 * size) % (2 * size);
}

function hypercallOf(xen: Xen, command: { readonly type: string; readonly domid?: DomId }, now: Ns): Fact[] {
  const op = numbers[command.type.slice(0, command.type.indexOf('.'))];
  const { domid } = command;
  const { vcpu = 0 } = command as { readonly vcpu?: number };
  if (op === undefined || domid === undefined || !xen.hasVcpu(domid, vcpu)) return [];
  return [{ type: 'trace.hypercall_made', domid, vcpu, op, at_ns: now }];
}
