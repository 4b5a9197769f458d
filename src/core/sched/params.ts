// What the schedulers can be told: weights, caps, budgets, slices and schedules (sched_adjust(), sched_adjust_global() in xen/common/sched/core.c).
import { accept, refuse } from '../../../events/step.ts';
import { MS, type Ns, US } from '../../../events/units.ts';
import type { CommandOf, Fact, Outcome } from '../../../events/vocabulary.ts';
import {
  XEN_DOMCTL_SCHEDOP,
  XEN_DOMCTL_SCHEDRT_extra,
  XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US,
  XEN_SYSCTL_CSCHED_TSLICE,
  XEN_SYSCTL_SCHED_RATELIMIT,
  XEN_SYSCTL_SCHEDOP,
} from '../../abi/scheduler.ts';
import { formatHandle } from '../handle.ts';
import type { Xen } from '../xen.ts';
import { isPrivileged } from '../xsm.ts';
import { ARINC653_MAX_DOMAINS_PER_SCHEDULE } from './arinc653.ts';
import { tsliceOf } from './credit-accounting.ts';
import { credit2, ratelimitOf } from './credit2.ts';
import { capEnded, capStarted } from './credit2-cap.ts';
import { preempted } from './leave.ts';
import { paramsOf } from './rtds.ts';
import { DEFAULT_BUDGET, DEFAULT_PERIOD, MAX_PERIOD, MIN_BUDGET, MIN_PERIOD } from './rtds-arithmetic.ts';
import { schedulerOf } from './schedulers.ts';
import { type SchedulerName, vcpuId } from './state.ts';

type Adjust = CommandOf<'domctl.scheduler_op'>;
const U16 = 0xffff;
const U32 = 0xffffffff;
const none = { weight: 0, cap: 0, period: 0, budget: 0, vcpus: [] as readonly number[] };

export function adjust(xen: Xen, command: Adjust, now: Ns): Outcome {
  const { domain, cmd } = command;
  if (!xen.exists(domain)) return refuse('ESRCH');
  if (!isPrivileged(command.domid)) return refuse('EPERM');
  const pool = xen.poolOf(domain);
  if (command.sched_id !== schedulerOf(xen, pool).sched_id || cmd < 0 || cmd > XEN_DOMCTL_SCHEDOP.getvcpuinfo)
    return refuse('EINVAL');
  // 16 bits each, in struct xen_domctl_schedparam; and 32.
  if (!isIn(command.weight, U16) || !isIn(command.cap, U16) || !isIn(command.period, U32) || !isIn(command.budget, U32))
    return refuse('EINVAL');
  switch (xen.sched.kindOf(pool) as SchedulerName) {
    case 'credit':
      return adjustCredit(xen, command);
    case 'credit2':
      return adjustCredit2(xen, command, now);
    case 'rtds':
      return adjustRtds(xen, command);
    case 'arinc653':
    case 'null':
      return accept(none); // they have nothing to adjust, and do not mind
  }
}
const isIn = (value: number, most: number): boolean => value >= 0 && value <= most;

function weighed(xen: Xen, { domain, weight }: Adjust): Fact[] {
  // 0 leaves the weight as it is.
  return weight === 0 || weight === xen.weight(domain) ? [] : [{ type: 'domain.weight_set', domid: domain, weight }];
}
function adjustCredit(xen: Xen, command: Adjust): Outcome {
  const { domain, cmd, cap } = command;
  const now = { ...none, weight: xen.weight(domain), cap: xen.domain.of(0)!.cap.at(domain) };
  if (cmd === XEN_DOMCTL_SCHEDOP.getinfo) return accept(now);
  if (cmd !== XEN_DOMCTL_SCHEDOP.putinfo) return refuse('EINVAL');
  // All ones leave the cap as it is.
  const capped: Fact[] = cap === U16 || cap === now.cap ? [] : [{ type: 'domain.cap_set', domid: domain, cap }];
  return accept({ ...none, weight: command.weight, cap }, ...weighed(xen, command), ...capped);
}

/** csched2_dom_cntl(). A cap that is refused does not take back the weight that came with it. */
function adjustCredit2(xen: Xen, command: Adjust, now: Ns): Outcome {
  const { domain, cmd, cap } = command;
  const { cap: caps, nr_vcpus } = xen.domain.of(0)!;
  if (cmd === XEN_DOMCTL_SCHEDOP.getinfo) return accept({ ...none, weight: xen.weight(domain), cap: caps.at(domain) });
  if (cmd !== XEN_DOMCTL_SCHEDOP.putinfo) return refuse('EINVAL');
  const facts = weighed(xen, command);
  if (cap > 100 * nr_vcpus.at(domain)) return refuse('EINVAL', undefined, ...facts);
  const had = caps.at(domain);
  if (cap !== had) {
    if (had === 0) facts.push(...stopped(xen, domain, now));
    facts.push({ type: 'domain.cap_set', domid: domain, cap });
    if (had === 0) facts.push(...capStarted(domain, cap, now));
    if (cap === 0) facts.push(...capEnded(xen, domain, now));
  }
  return accept({ ...none, weight: command.weight, cap }, ...facts);
}
/** With a cap nobody runs who has not taken of the budget: those who run look for it again. */
function stopped(xen: Xen, domid: number, now: Ns): Fact[] {
  const rows = xen.sched.vcpu.of(domid)!;
  const facts: Fact[] = [];
  for (let vcpu = 0; vcpu < xen.domain.of(0)!.nr_vcpus.at(domid); vcpu++)
    if (rows.runstate.is(vcpu) === 'running' && rows.detached.at(vcpu) === 0)
      facts.push(...preempted(credit2, xen, vcpuId(domid, vcpu), now));
  return facts;
}

/** rt_dom_cntl(). */
function adjustRtds(xen: Xen, command: Adjust): Outcome {
  const { domain, cmd, period, budget, vcpus } = command;
  const count = xen.domain.of(0)!.nr_vcpus.at(domain);
  switch (cmd) {
    case XEN_DOMCTL_SCHEDOP.getinfo:
      // The defaults, whatever its vCPUs have: those are asked for one by one.
      return accept({ ...none, period: DEFAULT_PERIOD / US, budget: DEFAULT_BUDGET / US });
    case XEN_DOMCTL_SCHEDOP.putinfo: {
      if (period === 0 || budget === 0) return refuse('EINVAL');
      const facts: Fact[] = [];
      for (let vcpu = 0; vcpu < count; vcpu++) {
        const extratime = paramsOf(xen, domain, vcpu).extratime ? 1 : 0;
        facts.push({ type: 'rtds.params_set', domid: domain, vcpu, period_ns: period * US, budget_ns: budget * US, extratime });
      }
      return accept({ ...none, period, budget }, ...facts);
    }
    default: {
      const facts: Fact[] = [];
      const answered: number[] = [];
      for (let i = 0; i < vcpus.length; i += 4) {
        const [vcpu = -1, per = 0, bud = 0, flags = 0] = vcpus.slice(i, i + 4);
        if (vcpu < 0 || vcpu >= count) return refuse('EINVAL', undefined, ...facts);
        if (cmd === XEN_DOMCTL_SCHEDOP.getvcpuinfo) {
          const { period_ns, budget_ns, extratime } = paramsOf(xen, domain, vcpu);
          answered.push(vcpu, Math.floor(period_ns / US), Math.floor(budget_ns / US), extratime ? XEN_DOMCTL_SCHEDRT_extra : 0);
          continue;
        }
        const period_ns = per * US;
        const budget_ns = bud * US;
        const isWrong = period_ns > MAX_PERIOD || budget_ns < MIN_BUDGET || budget_ns > period_ns || period_ns < MIN_PERIOD;
        if (isWrong) return refuse('EINVAL', undefined, ...facts);
        const extratime = ((flags | 0) & XEN_DOMCTL_SCHEDRT_extra) !== 0 ? 1 : 0;
        facts.push({ type: 'rtds.params_set', domid: domain, vcpu, period_ns, budget_ns, extratime });
      }
      return accept({ ...none, vcpus: cmd === XEN_DOMCTL_SCHEDOP.getvcpuinfo ? answered : vcpus }, ...facts);
    }
  }
}

type Global = CommandOf<'sysctl.scheduler_op'>;

/** What a whole pool's scheduler is told. `pool` is its place. */
export function adjustGlobal(xen: Xen, command: Global, pool: number, now: Ns): Outcome {
  switch (xen.sched.kindOf(pool) as SchedulerName) {
    case 'credit':
      return creditParams(xen, command, pool);
    case 'credit2':
      return credit2Params(xen, command, pool);
    case 'arinc653':
      return arinc653Params(xen, command, pool, now);
    case 'rtds':
    case 'null':
      return accept(nothing);
  }
}
const nothing = {
  tslice_ms: 0,
  ratelimit_us: 0,
  vcpu_migr_delay_us: 0,
  major_frame: 0,
  dom_handles: [] as readonly string[],
  vcpu_ids: [] as readonly number[],
  runtimes: [] as readonly number[],
};
const isRatelimit = (us: number): boolean =>
  us === 0 || (us >= XEN_SYSCTL_SCHED_RATELIMIT.MIN && us <= XEN_SYSCTL_SCHED_RATELIMIT.MAX);

function creditParams(xen: Xen, { cmd, tslice_ms, ratelimit_us, vcpu_migr_delay_us }: Global, pool: number): Outcome {
  if (cmd === XEN_SYSCTL_SCHEDOP.getinfo) {
    const delay = xen.sched.pools.of(0)!.migration_delay_us.at(pool);
    return accept({
      ...nothing,
      tslice_ms: tsliceOf(xen, pool) / MS,
      ratelimit_us: ratelimitOf(xen, pool) / US,
      vcpu_migr_delay_us: delay,
    });
  }
  const isRight =
    tslice_ms >= XEN_SYSCTL_CSCHED_TSLICE.MIN &&
    tslice_ms <= XEN_SYSCTL_CSCHED_TSLICE.MAX &&
    isRatelimit(ratelimit_us) &&
    ratelimit_us * US <= tslice_ms * MS &&
    isIn(vcpu_migr_delay_us, XEN_SYSCTL_CSCHED_MGR_DLY_MAX_US);
  if (!isRight) return refuse('EINVAL');
  const set: Fact = { type: 'sched.params_set', pool, tslice_ms, ratelimit_us, migration_delay_us: vcpu_migr_delay_us };
  return accept({ ...nothing, tslice_ms, ratelimit_us, vcpu_migr_delay_us }, set);
}
function credit2Params(xen: Xen, { cmd, ratelimit_us }: Global, pool: number): Outcome {
  if (cmd === XEN_SYSCTL_SCHEDOP.getinfo) return accept({ ...nothing, ratelimit_us: ratelimitOf(xen, pool) / US });
  if (!isRatelimit(ratelimit_us)) return refuse('EINVAL');
  return accept(
    { ...nothing, ratelimit_us },
    { type: 'sched.params_set', pool, tslice_ms: 0, ratelimit_us, migration_delay_us: 0 },
  );
}

/** arinc653_sched_set(). */
function arinc653Params(xen: Xen, command: Global, pool: number, now: Ns): Outcome {
  const { cmd, major_frame, dom_handles, vcpu_ids, runtimes } = command;
  if (cmd === XEN_SYSCTL_SCHEDOP.getinfo) {
    const { major_frame: frame, entries } = xen.sched.pools.of(0)!;
    const rows = xen.sched.frames.of(pool);
    const each = <T>(value: (i: number) => T): T[] => Array.from({ length: entries.at(pool) }, (_, i) => value(i));
    return accept({
      ...nothing,
      major_frame: frame.at(pool),
      dom_handles: each((i) => formatHandle([rows!.a.at(i), rows!.b.at(i), rows!.c.at(i), rows!.d.at(i)])),
      vcpu_ids: each((i) => rows!.vcpu.at(i)),
      runtimes: each((i) => rows!.runtime.at(i)),
    });
  }
  const count = runtimes.length;
  const isRight =
    major_frame > 0 &&
    count >= 1 &&
    count <= ARINC653_MAX_DOMAINS_PER_SCHEDULE &&
    dom_handles.length === count &&
    vcpu_ids.length === count &&
    vcpu_ids.every((vcpu) => isIn(vcpu, U16)) &&
    runtimes.every((runtime) => runtime > 0) &&
    runtimes.reduce((sum, runtime) => sum + runtime, 0) <= major_frame;
  if (!isRight) return refuse('EINVAL');
  return accept(
    { ...nothing, major_frame, dom_handles, vcpu_ids, runtimes },
    { type: 'arinc653.schedule_set', pool, major_frame, dom_handles, vcpu_ids, runtimes, at_ns: now },
  );
}
