// xen_version (xen/common/kernel.c).
import { bytesOf } from '../../events/bytes.ts';
import { errnoNumber } from '../../events/errno.ts';
import { XENVER } from '../abi/sub-operations.ts';
import * as abi from '../abi/version.ts';
import { type Call, done, type Result } from './call.ts';
import { type Codec, type Codecs, codec, perform } from './codec.ts';

/** A text with a NUL at its end and zeros behind it, in a field of `size` bytes. */
export function padded(text: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(bytesOf(text.slice(0, size - 1)));
  return bytes;
}
/** A UUID's text as its 16 bytes. */
/** A handle as text, from its bytes. */
export function handleText(bytes: Uint8Array): string {
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
}
export const handleBytes = (text: string): Uint8Array =>
  Uint8Array.from(text.replaceAll('-', '').match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));

/** A text goes where the pointer points; with `size` 0 it is as long as it is, and its NUL. */
const text = (command: Codec['command'], field: string, size: number): Codec =>
  codec(command, undefined, {
    write: (answer, _, call) => {
      const said = answer[field] as string;
      return call.guest.put(call.arg(1), padded(said, size === 0 ? said.length + 1 : size));
    },
  });

export const xenVersion: Codecs = {
  [XENVER.version]: codec('xen_version.version', undefined, { rc: 'version' }),
  [XENVER.extraversion]: text('xen_version.extraversion', 'extraversion', abi.XEN_EXTRAVERSION_LEN),
  [XENVER.compile_info]: codec('xen_version.compile_info', undefined, {
    write: ({ compiler, compile_by, compile_domain, compile_date }, _, call) =>
      call.guest.write(abi.xen_compile_info, call.arg(1), {
        compiler: padded(compiler as string, 64),
        compile_by: padded(compile_by as string, 16),
        compile_domain: padded(compile_domain as string, 32),
        compile_date: padded(compile_date as string, 32),
      }),
  }),
  [XENVER.capabilities]: text('xen_version.capabilities', 'capabilities', abi.XEN_CAPABILITIES_INFO_LEN),
  [XENVER.changeset]: text('xen_version.changeset', 'changeset', abi.XEN_CHANGESET_INFO_LEN),
  [XENVER.platform_parameters]: codec('xen_version.platform_parameters', undefined, {
    write: ({ virt_start }, _, call) =>
      call.guest.write(abi.xen_platform_parameters, call.arg(1), { virt_start: BigInt(virt_start as string) }),
  }),
  [XENVER.get_features]: codec('xen_version.get_features', abi.xen_feature_info, {
    out: ({ submap }) => ({ submap: (submap as number) >>> 0 }),
  }),
  [XENVER.guest_handle]: codec('xen_version.guest_handle', undefined, {
    write: ({ handle }, _, call) => call.guest.put(call.arg(1), handleBytes(handle as string)),
  }),
  // dom0 gets the whole of Xen's buffer, others the word that it is denied to them.
  [XENVER.commandline]: codec('xen_version.commandline', undefined, {
    write: ({ commandline }, _, call) => {
      const said = commandline as string;
      return call.guest.put(call.arg(1), padded(said, call.caller.domid === 0 ? abi.XEN_COMMANDLINE_LEN : said.length + 1));
    },
  }),
};
const pagesize = codec('xen_version.pagesize', undefined, { rc: 'pagesize' });

export function performVersion(call: Call, cmd: number): Result {
  const at = call.arg(1);
  if (cmd === XENVER.pagesize) {
    const asked = perform(call, pagesize, at, cmd);
    return at === 0n ? asked : done(errnoNumber('EINVAL'));
  }
  if (cmd === XENVER.build_id) return performBuildId(call, at);
  const codec = xenVersion[cmd];
  return codec ? perform(call, codec, at, cmd) : call.refuse('ENOSYS', cmd);
}

/** Returns how long the id is; where a structure is given, it goes there, as far as `len` says that there is room for all of it. */
function performBuildId(call: Call, at: bigint): Result {
  const cmd = XENVER.build_id;
  const given = at === 0n ? undefined : call.guest.read(abi.xen_build_id, at);
  if (at !== 0n && given === undefined) return call.refuse('EFAULT', cmd);
  const outcome = call.step({ type: 'xen_version.build_id', domid: call.caller.domid });
  if (!outcome.ok) return done(errnoNumber(outcome.errno));
  const id = Uint8Array.from((outcome.value as { build_id: string }).build_id.match(/../g) ?? [], (two) =>
    Number.parseInt(two, 16),
  );
  if (given === undefined) return done(id.length);
  const len = given['len'] as number;
  if (len === 0) return done(errnoNumber('EINVAL'));
  if (len < id.length) return done(errnoNumber('ENOBUFS'));
  return done(call.guest.put(at + BigInt(abi.xen_build_id[call.guest.width].size), id) ? id.length : errnoNumber('EFAULT'));
}
