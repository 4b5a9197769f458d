// The state of an HVM domain as records (public/hvm/save.h): kept as they were loaded, and saved as they are kept.
import { byteString } from '../../../events/bytes.ts';
import { accept, refuse } from '../../../events/step.ts';
import type { DomId } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';

/** struct hvm_save_descriptor: typecode, instance, length. */
const DESCRIPTOR_SIZE = 8;
const CODE = { END: 0, HEADER: 1, CPU: 2 } as const;
/** Those that Xen 4.17 knows on x86: 2 to 6, 8 to 14, 16 to 20, and the last. */
const LAST_CODE = 20;
const HVM_FILE_MAGIC = 0x54381286;
const HVM_FILE_VERSION = 1;
const HEADER_SIZE = 24;
/** Ours: no context of 128 vCPUs is larger, and a log holds what is loaded. */
const LARGEST = 2 ** 20;

interface Entry {
  readonly typecode: number;
  readonly instance: number;
  /** A byte a character. */
  readonly data: string;
}
const entriesOf = (xen: Xen, domid: DomId): readonly Entry[] => xen.control.setting<readonly Entry[]>(domid, 'hvm_context') ?? [];

export function gethvmcontext(xen: Xen, { domid, domain, size }: CommandOf<'domctl.gethvmcontext'>): Outcome {
  if (domid === domain || xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  const buffer = saved(entriesOf(xen, domain));
  if (size === 0) return accept({ size: buffer.length, buffer: new Uint8Array(0) });
  return size < buffer.length ? refuse('ENOSPC') : accept({ size: buffer.length, buffer });
}

export function gethvmcontextPartial(xen: Xen, command: CommandOf<'domctl.gethvmcontext_partial'>): Outcome {
  const { domid, domain, typecode, instance } = command;
  if (domid === domain || xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  if (!xen.isAlive(domain) || typecode <= CODE.HEADER || typecode > LAST_CODE) return refuse('EINVAL');
  const perVcpu = typecode === CODE.CPU;
  if (perVcpu && !xen.hasVcpu(domain, instance)) return refuse('ENOENT');
  const entry = entriesOf(xen, domain).find((one) => one.typecode === typecode && one.instance === instance);
  if (entry === undefined) return refuse(perVcpu ? 'ENODATA' : 'ENOENT');
  return accept({ buffer: Uint8Array.from(entry.data, (c) => c.charCodeAt(0)) });
}

/** hvm_load(): a header, entries, and an end. What has a CPU entry is a vCPU that may run. */
export function sethvmcontext(xen: Xen, { domid, domain, buffer }: CommandOf<'domctl.sethvmcontext'>): Outcome {
  if (domid === domain || xen.domain.of(0)!.hvm.at(domain) === 0) return refuse('EINVAL');
  if (buffer.length > LARGEST) return refuse('ENOMEM');
  if (!xen.isAlive(domain)) return refuse('EINVAL');
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.length);
  const entries: Entry[] = [];
  for (let at = 0; ; ) {
    if (buffer.length - at < DESCRIPTOR_SIZE) return refuse('ENODATA');
    const typecode = view.getUint16(at, true);
    const instance = view.getUint16(at + 2, true);
    const length = view.getUint32(at + 4, true);
    const start = at + DESCRIPTOR_SIZE;
    if (at === 0) {
      if (typecode !== CODE.HEADER || length !== HEADER_SIZE || start + length > buffer.length) return refuse('ENODATA');
      const isOurs = view.getUint32(start, true) === HVM_FILE_MAGIC && view.getUint32(start + 4, true) === HVM_FILE_VERSION;
      if (!isOurs) return refuse('EINVAL');
    } else {
      if (typecode === CODE.END) break;
      if (typecode <= CODE.HEADER || typecode > LAST_CODE) return refuse('EINVAL');
      if (start + length > buffer.length) return refuse('ENODATA');
      if (typecode === CODE.CPU && !xen.hasVcpu(domain, instance)) return refuse('EINVAL');
      const data = byteString(buffer.subarray(start, start + length));
      entries.push({ typecode, instance, data });
    }
    at = start + length;
  }
  const setting: Fact = { type: 'domain.setting_set', domid: domain, setting: 'hvm_context', json: JSON.stringify(entries) };
  const vcpus = xen.sched.vcpu.of(domain)!;
  const first = entries.filter(({ typecode, instance }) => typecode === CODE.CPU && vcpus.initialised.at(instance) === 0);
  const loaded = [...new Set(first.map(({ instance }) => instance))];
  return accept({}, setting, ...loaded.map((vcpu): Fact => ({ type: 'vcpu.initialised', domid: domain, vcpu })));
}

function saved(entries: readonly Entry[]): Uint8Array {
  const length = entries.reduce((sum, { data }) => sum + DESCRIPTOR_SIZE + data.length, 2 * DESCRIPTOR_SIZE + HEADER_SIZE);
  const buffer = new Uint8Array(length);
  const view = new DataView(buffer.buffer);
  let at = 0;
  const descriptor = (typecode: number, instance: number, size: number): void => {
    view.setUint16(at, typecode, true);
    view.setUint16(at + 2, instance, true);
    view.setUint32(at + 4, size, true);
    at += DESCRIPTOR_SIZE;
  };
  descriptor(CODE.HEADER, 0, HEADER_SIZE);
  view.setUint32(at, HVM_FILE_MAGIC, true);
  view.setUint32(at + 4, HVM_FILE_VERSION, true);
  at += HEADER_SIZE;
  for (const { typecode, instance, data } of entries) {
    descriptor(typecode, instance, data.length);
    for (let i = 0; i < data.length; i++) buffer[at + i] = data.charCodeAt(i);
    at += data.length;
  }
  descriptor(CODE.END, 0, 0);
  return buffer;
}
