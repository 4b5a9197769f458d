// The domctls of a domain's clock and counter (xen/common/domctl.c, xen/arch/x86/time.c).
import { accept, refuse } from '../../../events/step.ts';
import type { DomId, Ns } from '../../../events/units.ts';
import type { CommandOf, Outcome, TimeCommand } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { hostTsc, ticksToNs, timeScale, tscKhz } from './tsc.ts';

export const tscModes = ['default', 'always_emulate', 'never_emulate'] as const;

export function decide(xen: Xen, command: TimeCommand, now: Ns): Outcome {
  const { domid, domain } = command;
  if (!xen.exists(domain)) return refuse('ESRCH');
  if (!isPrivileged(domid)) return refuse('EPERM');
  if (command.type === 'domctl.settimeoffset')
    return accept({}, { type: 'domain.time_offset_set', domid: domain, seconds: command.time_offset_seconds });
  // It would be paused meanwhile.
  if (domain === domid) return refuse('EINVAL');
  return command.type === 'domctl.gettscinfo' ? getInfo(xen, domain, now) : setInfo(xen, command, now);
}

/** tsc_get_info(). */
function getInfo(xen: Xen, domain: DomId, now: Ns): Outcome {
  const row = xen.domain.of(0)!;
  const tsc_mode = row.tsc_mode.at(domain);
  // Xen sets a counter when it makes a domain, which is its first incarnation. dom0's is the host's.
  const incarnation = (row.tsc_incarnation_plus_1.at(domain) || (domain === 0 ? 1 : 2)) - 1;
  const answer = (elapsed_nsec: number, gtsc_khz: number): Outcome =>
    accept({ tsc_mode, elapsed_nsec: Math.max(0, elapsed_nsec), gtsc_khz, incarnation });
  if (tscModes[tsc_mode] === 'never_emulate') return answer(0, 0);
  if (row.vtsc.at(domain) === 1) return answer(now - row.tsc_offset_ns.at(domain), tscKhz(xen, domain));
  return answer(Number(ticksToNs(hostTsc(xen, now), timeScale(tscKhz(xen, domain)))), xen.clock.tscKhz);
}

/** tsc_set_info(): Xen answers RDTSC where it must, or where the domain expects another frequency. There is no scaling by hardware. */
function setInfo(xen: Xen, command: CommandOf<'domctl.settscinfo'>, now: Ns): Outcome {
  const { domain, elapsed_nsec, gtsc_khz } = command;
  // dom0 has the real one, always.
  if (domain === 0 && xen.domain.of(0)!.hvm.at(0) === 0) return accept();
  const mode = tscModes[command.tsc_mode];
  if (mode === undefined || gtsc_khz < 0 || gtsc_khz > MAX_U32) return refuse('EINVAL');
  const row = xen.domain.of(0)!;
  const set = { type: 'domain.tsc_set', domid: domain, mode, incarnation: (command.incarnation + 1) >>> 0 } as const;
  // What it was keeps standing there, and means nothing.
  if (mode === 'never_emulate')
    return accept({}, { ...set, vtsc: false, offset_ns: row.tsc_offset_ns.at(domain), khz: row.tsc_khz.at(domain) });
  const khz = gtsc_khz === xen.clock.tscKhz ? 0 : gtsc_khz;
  const offset_ns = now - Math.min(Math.max(elapsed_nsec, 0), Number.MAX_SAFE_INTEGER);
  return accept({}, { ...set, vtsc: mode === 'always_emulate' || khz !== 0, offset_ns, khz });
}
const MAX_U32 = 2 ** 32 - 1;
