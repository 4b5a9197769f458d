import { expect, test } from 'vitest';
import { build } from '../../tools/fuzz/arbitraries/domain.ts';
import { bootedHost } from '../../tools/fuzz/booted-host.ts';
import type { CoreHost } from '../../tools/fuzz/core-host.ts';
import { pte, putPte, writeTables } from '../../tools/fuzz/page-tables.ts';
import { GNTMAP } from '../abi/grant-table.ts';
import { XENMAPSPACE, XENMEMF } from '../abi/memory.ts';
import { VIRQ } from '../abi/virq.ts';
import { PARTS } from './gnttab/map.ts';
import { type IoreqServer, plainTypes } from './hvm/state.ts';
import type { Xen } from './index.ts';
import { coreInvariants, violations } from './invariants.ts';
import { tableFlaws } from './mm/invariants.ts';
import type { FrameInfo } from './mm/state.ts';
import { POD_CACHE } from './p2m/state.ts';
import { timerRow } from './timer/state.ts';

/** A host where everything is in use: channels, mappings, timers, a zombie (d2), physmaps, pCPUs and the run queue. */
function busyHost(): CoreHost {
  const host = bootedHost().prepare(
    { type: 'evtchn.bind_virq', domid: 1, virq: VIRQ.TIMER, vcpu: 0 },
    { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 },
    { type: 'evtchn.bind_interdomain', domid: 0, remote_dom: 1, remote_port: 2 },
    { type: 'gnttab.seed', domid: 0, dom: 1, ref: 0, gfn: 1, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 1, ref: 0, readonly: false },
    { type: 'gnttab.set_version', domid: 1, version: 2 },
    { type: 'gnttab.seed', domid: 0, dom: 2, ref: 0, gfn: 2, backend: 0 },
    { type: 'gnttab.map_grant_ref', domid: 0, dom: 2, ref: 0, readonly: true },
    { type: 'timer.set_timer_op', domid: 1, vcpu: 0, timeout_ns: 5000 },
    { type: 'vcpu.set_periodic_timer', domid: 1, vcpu: 0, period_ns: 5_000_000 },
    { type: 'physdev.map_pirq', domid: 0, dom: 0, pirq: 9 },
    { type: 'evtchn.bind_pirq', domid: 0, pirq: 9, flags: 0 },
    { type: 'memory.claim_pages', domid: 0, dom: 1, pages: 8, extent_order: 0 },
    { type: 'sched.schedule', cpu: 0 },
    { type: 'domctl.settscinfo', domid: 0, domain: 1, tsc_mode: 1, elapsed_nsec: 0, gtsc_khz: 0, incarnation: 0 },
  );
  host.prepare({ type: 'vcpu.register_vcpu_info', domid: 1, vcpu: 0, current: 0, mfn: host.xen.p2m.mfn(1, 5), offset: 64 });
  // d0 has the FIFO ABI, and port 1 at the end of a queue.
  const frame = (gfn: number): number => host.xen.p2m.mfn(0, gfn);
  host.prepare(
    { type: 'evtchn.init_control', domid: 0, control_gfn: frame(1), offset: 0, vcpu: 0 },
    { type: 'evtchn.expand_array', domid: 0, array_gfn: frame(2) },
    { type: 'evtchn.send', domid: 1, port: 2 },
  );
  while (host.answer({ type: 'domctl.destroydomain', domid: 0, domain: 2 }) === 'ERESTART');
  // d3 is HVM, with special pages in its physmap, and pages on demand.
  const physmap = (space: number, gpfn: number) =>
    ({ type: 'memory.add_to_physmap', domid: 0, dom: 3, space, idx: 0, gpfn }) as const;
  host.prepare(
    ...build(3, { vcpus: 1, pages: 6, hvm: true }),
    physmap(XENMAPSPACE.shared_info, 20),
    physmap(XENMAPSPACE.grant_table, 21),
    {
      type: 'memory.populate_physmap_extents',
      domid: 0,
      dom: 3,
      gpfns: [30, 31, 32],
      extent_order: 0,
      mem_flags: XENMEMF.populate_on_demand,
    },
    { type: 'memory.set_pod_target', domid: 0, dom: 3, target_pages: 8 },
  );
  // d4 is PV, and runs on page tables in its pages 0 to 3, with descriptors in page 7.
  host.prepare(...build(4, { vcpus: 1, pages: 8, hvm: false }));
  const { tables, frame: page } = writeTables(host, 4, 6);
  const base = { domid: 4, vcpu: 0, foreigndom: 0x7ff0, mfn: tables[0]! };
  return host.prepare(
    { type: 'mmuext.pin_l4_table', ...base },
    { type: 'mmuext.new_baseptr', ...base },
    { type: 'mm.set_gdt', domid: 4, vcpu: 0, frames: [page(7)], entries: 1 },
    { type: 'mm.mmu_update', ...base, ptr: page(5) * 4096 + 1, val_lo: 77, val_hi: 0 },
  );
}

test('all hold on a busy host', () => {
  expect([...violations(busyHost().xen)]).toEqual([]);
});

/** What is counted of a page of d4's, but for this. */
function changeFrame(xen: Xen, page: number, change: Partial<FrameInfo>): void {
  const mfn = xen.p2m.mfn(4, page);
  xen.mm.put(mfn, { ...xen.mm.frame(mfn), ...change });
}

// What is broken by hand, and who must say so.
const breakages: readonly [string, (host: CoreHost) => void][] = [
  ['p2m.frameHasOneOwner', ({ xen }) => xen.p2m.giveBack(xen.p2m.mfn(1, 0), 1)],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.p2m.take(xen.p2m.free[0]!.mfn, 1)],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.domain.of(0)!.shared_info_mfn.put(1, xen.sharedInfo(0))],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.p2m.forget(1)],
  ['vcpu.infoStandsInItsOwnPage', ({ xen }) => xen.sched.vcpu.of(1)!.info_mfn_plus_1.put(0, xen.p2m.mfn(0, 1) + 1)],
  ['vcpu.infoStandsInItsOwnPage', ({ xen }) => xen.sched.vcpu.of(1)!.info_mfn_plus_1.put(0, 0)],
  ['vcpu.infoStandsInItsOwnPage', ({ xen }) => xen.sched.vcpu.of(1)!.info_offset.put(0, 4090)],
  ['time.xenKeepsTheCounterThatItAnswers', ({ xen }) => xen.domain.of(0)!.vtsc.put(1, 0)],
  ['time.xenKeepsTheCounterThatItAnswers', ({ xen }) => xen.domain.of(0)!.vtsc.put(0, 1)],
  ['time.onlyPvIs32bit', ({ xen }) => xen.domain.of(0)!.is_32bit.put(2, 1)],
  [
    'p2m.rangesAreSortedAndMerged',
    ({ xen }) => xen.p2m.restore({ ...xen.p2m.snapshot(), free: [...xen.p2m.free, ...xen.p2m.free] }),
  ],
  [
    'p2m.rangesAreSortedAndMerged',
    ({ xen }) =>
      xen.p2m.restore({
        ...xen.p2m.snapshot(),
        free: [
          { gfn: 1, mfn: 1, count: 1 },
          { gfn: 2, mfn: 2, count: 1 },
        ],
      }),
  ],
  ['p2m.rangesAreSortedAndMerged', ({ xen }) => xen.p2m.restore({ ...xen.p2m.snapshot(), free: [{ gfn: 1, mfn: 1, count: 0 }] })],
  ['p2m.totPagesCountsThePages', ({ xen }) => xen.domain.of(0)!.tot_pages.add(1, 1)],

  ['p2m.claimsFitIntoTheHeap', ({ xen }) => xen.p2m.claims.of(1)!.pages.put(0, xen.p2m.freePages + 1)],
  ['p2m.claimsFitIntoTheHeap', ({ xen }) => xen.p2m.claims.of(1)!.pages.put(0, -1)],

  ['p2m.pageIsOneThing', ({ xen }) => xen.p2m.slots.of(3)!.gfn.put(0, 1)],
  ['p2m.pageIsOneThing', ({ xen }) => xen.p2m.slots.of(3)!.gfn.put(1, 20)],
  ['p2m.pageIsOneThing', ({ xen }) => xen.p2m.markOnDemand(3, 20, 1)],
  ['p2m.pageIsOneThing', ({ xen }) => xen.p2m.markOnDemand(3, 1, 1)],
  ['p2m.slotShowsAFrameOfItsOwner', ({ xen }) => xen.p2m.slots.of(3)!.mfn_plus_1.put(0, xen.p2m.mfn(3, 1) + 1)],
  ['p2m.slotShowsAFrameOfItsOwner', ({ xen }) => xen.p2m.slots.of(3)!.dom.put(0, 1)],
  ['p2m.slotShowsAFrameOfItsOwner', ({ xen }) => xen.p2m.slots.of(3)!.mfn_plus_1.put(1, xen.sharedInfo(3) + 1)],
  ['p2m.slotShowsAFrameOfItsOwner', ({ xen }) => xen.domain.of(0)!.hvm.put(3, 0)],
  ['p2m.shownSlotsAreCounted', ({ xen }) => xen.domain.of(0)!.shown_slots.add(1, 1)],
  ['p2m.shownSlotsAreCounted', ({ xen }) => xen.p2m.slots.of(3)!.dom.put(0, 1)],
  ['p2m.podCacheIsOwed', ({ xen }) => xen.domain.of(0)!.hvm.put(3, 0)],
  ['p2m.podCacheIsOwed', ({ xen }) => xen.p2m.move(3, POD_CACHE + xen.p2m.podCache(3)[0]!.mfn, 1, POD_CACHE)],
  ['p2m.rangesAreSortedAndMerged', ({ xen }) => xen.p2m.markOnDemand(3, 60, 0)],

  ['p2m.machphysIsOfAPage', ({ xen }) => xen.p2m.setMachphys(xen.p2m.free[0]!.mfn, 1)],

  ['mm.countedFrameIsItsOwners', ({ xen }) => changeFrame(xen, 5, { domid: 1 })],
  ['mm.countedFrameIsItsOwners', ({ xen }) => xen.mm.put(xen.p2m.free[0]!.mfn, xen.mm.frame(xen.p2m.mfn(4, 5)))],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { type: 'none' })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { type_count: 2 })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { type_count: 0 })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { foreign_refs: 2 })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { pinned: true })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 5, { linear: 1 })],
  ['mm.countsFitTogether', ({ xen }) => changeFrame(xen, 1, { type: 'pae_xen_l2_table', type_count: 2, refs: 2 })],
  [
    'mm.pageTableIsNeverWritten',
    ({ xen }) => xen.gnttab.active.of(4)!.writers.put(0, 1) ?? xen.gnttab.active.of(4)!.mfn.put(0, xen.p2m.mfn(4, 3)),
  ],
  ['mm.pageTableIsNeverWritten', ({ xen }) => xen.sched.vcpu.of(4)!.info_mfn_plus_1.put(0, xen.p2m.mfn(4, 7) + 1)],
  ['mm.vcpuHoldsItsTables', ({ xen }) => xen.mm.bases.of(4)!.guest_table_plus_1.put(0, xen.p2m.mfn(4, 1) + 1)],
  ['mm.vcpuHoldsItsTables', ({ xen }) => xen.mm.bases.of(4)!.guest_table_user_plus_1.put(2, xen.p2m.mfn(4, 0) + 1)],
  ['mm.vcpuHoldsItsTables', ({ xen }) => xen.mm.setContext(4, 0, { gdt_frames: [xen.p2m.mfn(4, 3)] })],
  ['mm.vcpuHoldsItsTables', ({ xen }) => xen.mm.setContext(4, 1, { ts: true })],

  ['p2m.releasedIsMapped', ({ xen }) => xen.p2m.release(1, xen.p2m.mfn(1, 3), true)],

  ['timer.heapHoldsTheArmed', ({ xen }) => xen.timers.due.remove(xen.timers.due.peek()!)],
  ['timer.heapHoldsTheArmed', ({ xen }) => xen.timers.rows.of(1)!.state.become(0, 'off')],
  ['timer.heapHoldsTheArmed', ({ xen }) => xen.timers.rows.of(1)!.deadline_ns.put(0, 2 ** 50)],
  ['timer.onlyThePeriodicRepeats', ({ xen }) => xen.timers.rows.of(1)!.period_ns.put(0, 7)],
  ['timer.onlyThePeriodicRepeats', ({ xen }) => xen.timers.rows.of(1)!.period_ns.put(1, 0)],
  ['timer.onlyThePeriodicRepeats', ({ xen }) => xen.timers.rows.of(0)!.deadline_ns.put(0, 7)],
  ['timer.belongsToAVcpu', ({ xen }) => xen.timers.rows.of(1)!.state.become(timerRow(2, 'watchdog'), 'armed')],
  ['timer.belongsToAVcpu', ({ xen }) => xen.timers.rows.of(1)!.state.become(2, 'armed')],

  ['sched.runqueueHoldsTheRunnable', ({ xen }) => xen.sched.shared[0]!.remove(xen.sched.shared[0]!.peek()!)],
  ['sched.runqueueHoldsTheRunnable', ({ xen }) => xen.sched.shared[0]!.push(0)],
  ['sched.runqueueHoldsTheRunnable', ({ xen }) => xen.sched.shared[0]!.push(5)],
  ['sched.runningHasItsPcpu', ({ xen }) => xen.sched.pcpu.of(0)!.state.become(0, 'idle')],
  ['sched.runningHasItsPcpu', ({ xen }) => xen.sched.pcpu.of(0)!.domid.put(0, 1)],
  ['sched.runningHasItsPcpu', ({ xen }) => xen.sched.pcpu.of(0)!.state.become(1, 'running')],
  ['sched.runningHasItsPcpu', ({ xen }) => xen.sched.vcpu.of(0)!.cpu.put(0, 1)],
  ['sched.runningHasItsPcpu', ({ xen }) => xen.sched.vcpu.of(0)!.detached.put(0, 1)],
  ['sched.flagsExplainTheRunstate', ({ xen }) => xen.sched.vcpu.of(1)!.blocked.put(0, 1)],
  ['sched.flagsExplainTheRunstate', ({ xen }) => xen.sched.vcpu.of(0)!.up.put(0, 0)],
  ['sched.flagsExplainTheRunstate', ({ xen }) => xen.sched.vcpu.of(1)!.detached.put(0, 1)],
  ['sched.pausesAreTheDomains', ({ xen }) => xen.sched.vcpu.of(1)!.pauses.add(0, 1)],
  ['sched.pausesAreTheDomains', ({ xen }) => xen.domain.of(0)!.shut_down.become(1, 'crash')],

  ['sched.pcpuIsOfOnePool', ({ xen }) => xen.sched.pcpu.of(0)!.pool.put(1, 3)],
  ['sched.pcpuIsOfOnePool', ({ xen }) => xen.sched.pcpu.of(0)!.state.become(1, 'offline')],
  ['sched.pcpuIsOfOnePool', ({ xen }) => xen.sched.pcpu.of(0)!.free.put(0, 1)],
  ['sched.poolsCountTheirDomains', ({ xen }) => xen.domain.of(0)!.cpupool_plus_1.put(1, 3)],
  ['sched.poolsCountTheirDomains', ({ xen }) => xen.sched.pools.of(0)!.n_dom.add(1, 1)],
  ['sched.poolsCountTheirDomains', ({ xen }) => xen.sched.pools.of(0)!.max_weight.put(0, 1)],
  ['sched.vcpuBelongsToItsPool', ({ xen }) => xen.sched.vcpu.of(1)!.runqueue.put(0, 1)],
  ['sched.vcpuBelongsToItsPool', ({ xen }) => xen.sched.pcpu.of(0)!.free.put(0, 1)],
  ['sched.creditIsWithinBounds', ({ xen }) => xen.sched.vcpu.of(1)!.credit.put(0, -1e9)],
  ['sched.creditIsWithinBounds', ({ xen }) => xen.sched.vcpu.of(1)!.budget.put(0, 5)],
  ['sched.timersAreInTheHeap', ({ xen }) => xen.sched.timers.add(1).state.become(128, 'armed')],
  ['sched.nullGivesAPcpuToOne', ({ xen }) => xen.sched.pcpu.of(0)!.unit.put(1, 77 * 256 + 1)],
  ['sched.onlyTheBlockedPoll', ({ xen }) => xen.sched.polls.add(0).state.become(0, 'polling')],

  ['vcpu.onlyTheInitialisedAreUp', ({ xen }) => xen.sched.vcpu.of(1)!.initialised.put(0, 0)],
  ['vcpu.thereAreAsManyAsAllocated', ({ xen }) => xen.domain.of(0)!.nr_vcpus.put(1, 0)],
  ['vcpu.thereAreAsManyAsAllocated', ({ xen }) => xen.domain.of(0)!.max_vcpus.put(1, 2)],
  ['vcpu.thereAreAsManyAsAllocated', ({ xen }) => xen.sched.vcpu.of(1)!.time_running.put(2, 5)],

  ['evtchn.interdomainIsMutual', ({ xen }) => xen.evtchn.ports.of(1)!.state.become(2, 'unbound')],
  ['evtchn.interdomainIsMutual', ({ xen }) => xen.evtchn.ports.of(1)!.remote_port.put(2, 9)],
  ['evtchn.interdomainIsMutual', ({ xen }) => xen.evtchn.ports.of(0)!.remote_dom.put(1, 99)],
  ['evtchn.virqLeadsToItsPort', ({ xen }) => xen.evtchn.virqs.of(1)!.port.put(VIRQ.TIMER, 0)],
  ['evtchn.virqLeadsToItsPort', ({ xen }) => xen.evtchn.virqs.of(1)!.port.put(VIRQ.DEBUG, 1)],
  ['evtchn.virqLeadsToItsPort', ({ xen }) => xen.evtchn.ports.of(1)!.state.become(1, 'ipi')],
  ['evtchn.pirqLeadsToItsPort', ({ xen }) => xen.evtchn.pirqs.of(0)!.port.put(9, 0)],
  ['evtchn.pirqLeadsToItsPort', ({ xen }) => xen.evtchn.pirqs.of(0)!.port.put(10, 1)],
  ['evtchn.pirqLeadsToItsPort', ({ xen }) => xen.evtchn.pirqs.of(0)!.state.become(9, 'none')],
  ['evtchn.pirqLeadsToItsPort', ({ xen }) => xen.evtchn.ports.of(0)!.virq.put(2, 8)],
  ['evtchn.fifoStandsInItsOwnPages', ({ xen }) => xen.evtchn.controls.of(0)!.mfn_plus_1.put(0, xen.p2m.mfn(1, 0) + 1)],
  ['evtchn.fifoStandsInItsOwnPages', ({ xen }) => xen.evtchn.arrays.of(0)!.mfn_plus_1.put(1, 1)],
  ['evtchn.fifoStandsInItsOwnPages', ({ xen }) => xen.evtchn.fifoPorts.of(0)!.last_priority.put(1, 3)],
  ['evtchn.fifoStandsInItsOwnPages', ({ xen }) => xen.evtchn.fifoPorts.of(0)!.saved.put(9, 1)],
  ['evtchn.portIsWithinItsLimits', ({ xen }) => xen.domain.of(0)!.max_evtchn_port.put(1, 1)],
  ['evtchn.portIsWithinItsLimits', ({ xen }) => xen.evtchn.ports.of(1)!.state.become(0, 'unbound')],
  ['evtchn.notifiesAVcpuThatIsThere', ({ xen }) => xen.evtchn.ports.of(1)!.notify_vcpu.put(1, 1)],
  ['evtchn.freeHoldsNothing', ({ xen }) => xen.evtchn.ports.of(1)!.remote_dom.put(5, 1)],
  ['evtchn.noneIsFreeBelowTheHint', ({ xen }) => xen.domain.of(0)!.free_port_hint.put(1, 9)],

  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.writers.put(0, 0)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.readers.put(0, 1)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.readers.put(7, 1)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.mfn.add(0, 1)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.domid.put(0, 2)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.devr.put(0, 1)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.active.of(1)!.devw.put(3, 1)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.maptrack.of(0)!.flags.put(0, GNTMAP.host_map | GNTMAP.readonly)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.maptrack.of(0)!.flags.put(0, GNTMAP.host_map | GNTMAP.device_map)],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.maptrack.of(0)!.mfn.add(0, 1)],
  ['gnttab.pinsFitIntoTheirCounters', ({ xen }) => xen.gnttab.active.of(1)!.writers.put(0, 129)],
  ['gnttab.pinsFitIntoTheirCounters', ({ xen }) => xen.gnttab.active.of(1)!.devr.put(0, -1)],
  ['gnttab.mappingHasItsParts', ({ xen }) => xen.gnttab.maptrack.of(0)!.flags.put(0, GNTMAP.readonly)],
  ['gnttab.mappingHasItsParts', ({ xen }) => xen.gnttab.maptrack.of(0)!.readonly.put(0, 1)],
  ['gnttab.mappingHasItsParts', ({ xen }) => xen.gnttab.maptrack.of(0)!.state.become(0, 'free')],
  ['gnttab.mappingHasItsParts', ({ xen }) => xen.gnttab.maptrack.of(0)!.host_addr.put(9, -4096)],
  [
    'gnttab.mappingHasItsParts',
    ({ xen }) => {
      xen.domain.of(0)!.hvm.put(0, 1);
      xen.gnttab.maptrack.of(0)!.flags.put(0, PARTS);
    },
  ],
  ['gnttab.usesOfFramesAreCounted', ({ xen }) => xen.gnttab.use(xen.p2m.mfn(1, 1), 1)],
  ['gnttab.usesOfFramesAreCounted', ({ xen }) => xen.gnttab.use(xen.p2m.mfn(1, 1), -1)],
  ['gnttab.usesOfFramesAreCounted', ({ xen }) => xen.gnttab.use(xen.p2m.mfn(1, 2), 1)],
  ['gnttab.statusFramesAreOfVersion2', ({ xen }) => xen.domain.of(0)!.nr_status_frames.put(1, 0)],
  ['gnttab.statusFramesAreOfVersion2', ({ xen }) => xen.gnttab.statusFrames.of(1)!.mfn_plus_1.put(0, 0)],
  ['gnttab.statusFramesAreOfVersion2', ({ xen }) => xen.domain.of(0)!.grant_version.become(0, 'v2')],
  ['gnttab.statusFramesAreOfVersion2', ({ xen }) => xen.domain.of(0)!.grant_version.become(1, 'v1')],
  ['gnttab.statusFramesAreOfVersion2', ({ xen }) => xen.domain.of(0)!.max_grant_version.become(1, 'v1')],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.gnttab.statusFrames.of(1)!.mfn_plus_1.add(0, 1)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.gnttab.maptrack.of(0)!.next.put(5, 8)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.gnttab.maptrack.of(0)!.next.put(5, -1)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.domain.of(0)!.maptrack_head.put(0, 0)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.domain.of(0)!.maptrack_tail.put(0, 9)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.domain.of(0)!.maptrack_limit.put(0, 512)],
  ['gnttab.freeHandlesAreListed', ({ xen }) => xen.gnttab.maptrack.of(0)!.state.become(9, 'mapped')],
  ['gnttab.activeCountsMatchMappings', ({ xen }) => xen.gnttab.maptrack.of(0)!.ref.put(0, 400)],
  ['gnttab.mappedFrameBelongsToItsGranter', ({ xen }) => xen.gnttab.maptrack.of(0)!.mfn.put(0, xen.p2m.mfn(0, 0))],
  ['gnttab.mappedFrameBelongsToItsGranter', ({ xen }) => xen.gnttab.maptrack.of(0)!.dom.put(0, 99)],
  ['gnttab.foreignMapsAreCounted', ({ xen }) => xen.domain.of(0)!.foreign_maps.add(1, -1)],
  ['gnttab.foreignMapsAreCounted', ({ xen }) => xen.gnttab.maptrack.of(0)!.state.become(0, 'free')],
  ['gnttab.tableIsWithinItsLimit', ({ xen }) => xen.domain.of(0)!.nr_grant_frames.put(1, 2)],
  ['gnttab.tableIsWithinItsLimit', ({ xen }) => xen.domain.of(0)!.max_grant_frames.put(1, 0)],
  ['gnttab.tableIsWithinItsLimit', ({ xen }) => xen.gnttab.active.of(1)!.mfn.put(512, 1)],
  ['gnttab.noHandleIsFreeBelowTheHint', ({ xen }) => xen.domain.of(0)!.free_handle_hint.put(0, 3)],

  ['domain.deadKeepsOnlyMappedFrames', ({ xen }) => xen.p2m.populate(2, { gfn: 50, mfn: xen.p2m.free[0]!.mfn, count: 1 })],
  ['domain.deadIsKeptByMappingsAlone', ({ xen }) => xen.domain.of(0)!.foreign_maps.put(2, 0)],
  ['domain.deadIsKeptByMappingsAlone', ({ xen }) => xen.evtchn.ports.of(2)!.state.become(1, 'unbound')],
  ['domain.deadIsKeptByMappingsAlone', ({ xen }) => xen.gnttab.maptrack.of(2)!.state.become(0, 'mapped')],
  ['domain.deadIsKeptByMappingsAlone', ({ xen }) => xen.timers.rows.of(2)!.state.become(0, 'armed')],
  ['domain.thereIsAsRowsAre', ({ xen }) => xen.evtchn.ports.remove(1)],
  ['domain.thereIsAsRowsAre', ({ xen }) => xen.timers.rows.add(9)],
  ['domain.thereIsAsRowsAre', ({ xen }) => xen.p2m.populate(9, { gfn: 0, mfn: xen.p2m.free[0]!.mfn, count: 1 })],
  ['domain.thereIsAsRowsAre', ({ xen }) => xen.evtchn.pirqs.add(9)],
  ['domain.noneHoldsNothing', ({ xen }) => xen.domain.of(0)!.weight.put(9, 256)],
  ['domain.noneHoldsNothing', ({ xen }) => xen.domains.handles.of(0)!.c.put(9, 1)],
  ['domain.pauseCountIsNotNegative', ({ xen }) => xen.domain.of(0)!.controller_pause_count.put(1, -1)],

  ['console.ringHoldsAtMostItsSize', ({ xen }) => xen.console.row.of(0)!.conringp.add(0, xen.console.size + 1)],
  ['console.rateLimitHasItsTokens', ({ xen }) => xen.console.row.of(0)!.spent.put(0, 50_001)],
  ['console.rateLimitHasItsTokens', ({ xen }) => xen.console.row.of(0)!.spent.put(0, -1)],
  ['console.whatIsKeptFits', ({ xen }) => xen.console.lines.set(9, { text: 'x' })],
  ['console.whatIsKeptFits', ({ xen }) => xen.console.lines.set(1, { text: 'x'.repeat(200) })],
  ['console.whatIsKeptFits', ({ xen }) => xen.console.typed.set(0, { text: 'x'.repeat(129) })],
  ['console.printsLessThanItLimits', ({ xen }) => xen.console.row.of(0)!.lower.put(0, 3)],
  ['physdev.deviceHasOneOwner', ({ xen }) => addDevice(xen, 0).domid.put(0, 9)],
  ['physdev.deviceHasOneOwner', ({ xen }) => void [addDevice(xen, 0), addDevice(xen, 1)]],
  [
    'physdev.deviceHasOneOwner',
    ({ xen }) => void [addDevice(xen, 0).domid.put(0, 1), xen.physdev.pci.of(0)!.state.become(0, 'quarantined')],
  ],
  ['physdev.onlyGsisAreRegistered', ({ xen }) => xen.physdev.gsi.of(0)!.state.become(24, 'registered')],
  ['physdev.onlyGsisAreRegistered', ({ xen }) => xen.physdev.ioapic.of(0)!.unmasked.put(24, 1)],
  ['physdev.memtypesAreUsed', ({ xen }) => xen.platform.memtypes.of(0)!.uses.put(0, 1)],
  ['physdev.memtypesAreUsed', ({ xen }) => xen.platform.setOffline([7, 6])],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.platform.setOffline([xen.p2m.mfn(1, 0), xen.p2m.mfn(1, 0)])],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.control.setPool(1, [xen.p2m.mfn(1, 0), xen.p2m.mfn(1, 0)])],
  ['sched.pausesAreTheDomains', ({ xen }) => xen.control.vcpus.add(1).controller_pause_count.put(0, 1)],
  ['control.rangesAreSortedAndApart', ({ xen }) => xen.control.setAccess(1, 'iomem', [9, 8])],
  ['control.rangesAreSortedAndApart', ({ xen }) => xen.control.setAccess(1, 'irqs', [1, 2, 3, 4])],
  ['control.rangesAreSortedAndApart', ({ xen }) => xen.control.setPool(1, [5])],
  ['control.onlyHapDomainsHaveAPool', ({ xen }) => xen.control.setPool(1, [xen.p2m.free[0]!.mfn, xen.p2m.free[0]!.mfn])],
  ['control.targetIsAnHvmDomain', ({ xen }) => xen.control.row.target_plus_1.put(1, 1)],
  ['control.targetIsAnHvmDomain', ({ xen }) => xen.control.row.target_plus_1.put(1, 100)],
  ['control.virqHandlersExist', ({ xen }) => xen.evtchn.handlers.of(0)!.domid.put(VIRQ.DOM_EXC, 99)],
  ['control.virqHandlersExist', ({ xen }) => xen.evtchn.handlers.of(0)!.domid.put(VIRQ.TIMER, 1)],
  ['control.settingsAreKnown', ({ xen }) => xen.control.settings.set(1, { other: '{}' } as object)],
  ['control.vcpuRowsAreOfVcpus', ({ xen }) => xen.control.vcpus.add(1).debug_event.put(3, 1)],
  ['control.recordsAreOfDomains', ({ xen }) => xen.hvm.types.set(9, plainTypes)],
  ['hvm.onlyHvmDomainsHaveIt', ({ xen }) => xen.hvm.setParam(1, 1, '0x1')],
  ['hvm.onlyHvmDomainsHaveIt', ({ xen }) => xen.hvm.types.set(1, plainTypes)],
  ['hvm.paramsAreKnown', ({ xen }) => xen.hvm.setParam(2, 40, '0x1')],
  ['hvm.ioreqServersAreApart', ({ xen }) => xen.hvm.servers.set(2, { left: [], list: [server(0, 5), server(1, 5)] })],
  ['hvm.ioreqServersAreApart', ({ xen }) => xen.hvm.servers.set(2, { left: [], list: [server(1, 5), server(0, 6)] })],
  ['hvm.ioreqServersAreApart', ({ xen }) => xen.hvm.servers.set(2, { left: [], list: [{ ...server(0, 5), port: [3, 2] }] })],
  ['p2m.frameHasOneOwner', ({ xen }) => xen.hvm.servers.set(2, { left: [xen.p2m.mfn(1, 0)], list: [] })],
  [
    'p2m.frameHasOneOwner',
    ({ xen }) => xen.hvm.servers.set(2, { left: [], list: [{ ...server(0, -1), ioreq_mfn: xen.p2m.free[0]!.mfn }] }),
  ],
  ['hvm.typesAreOfAServer', ({ xen }) => xen.hvm.types.set(2, { ...plainTypes, mapped_to: 3 })],
  ['hvm.typesAreOfAServer', ({ xen }) => xen.hvm.types.set(2, { ...plainTypes, ioreq_server: [1, 2] })],
  ['hvm.typesAreOfAServer', ({ xen }) => xen.hvm.types.set(2, { ...plainTypes, ram_ro: [2, 1] })],
];

function addDevice({ physdev }: CoreHost['xen'], row: number) {
  const pci = physdev.pci.of(0)!;
  pci.state.become(row, 'assigned');
  pci.sbdf.put(row, 8);
  return pci;
}
function server(id: number, ioreq_gfn: number): IoreqServer {
  const ranges = { port: [], memory: [], pci: [] };
  return {
    id,
    emulator: 0,
    handle_bufioreq: 0,
    enabled: false,
    ports: [],
    bufioreq_port: 0,
    ioreq_gfn,
    bufioreq_gfn: -1,
    ioreq_mfn: -1,
    bufioreq_mfn: -1,
    ...ranges,
  };
}

test.each(breakages.map(([name, damage], i) => [name, i, damage] as const))(
  '%s, broken (%i), is said to be',
  (name, _, damage) => {
    const host = busyHost();
    damage(host);
    expect([...coreInvariants[name]!(host.xen)]).not.toEqual([]);
  },
);

// These need a look at memory, which a fold has not: so they stand apart.
test.each<[string, (host: CoreHost) => void]>([
  ['one more', ({ xen }) => changeFrame(xen, 5, { refs: 2 })],
  ['one less', ({ xen }) => changeFrame(xen, 3, { refs: 1 })],
  ['one more of its type', ({ xen }) => changeFrame(xen, 3, { refs: 2, type_count: 2 })],
  ["one of another's", ({ xen }) => changeFrame(xen, 5, { foreign_refs: 1 })],
  ['none', ({ xen }) => changeFrame(xen, 5, { refs: 0, type: 'none', type_count: 0 })],
  ['a pin that is not counted', ({ xen }) => changeFrame(xen, 3, { pinned: true })],
  ['an entry that was written behind Xen', (host) => putPte(host, host.xen.p2m.mfn(4, 3), 40, pte(host.xen.p2m.mfn(4, 6), 3))],
  ['a root that nobody uses', ({ xen }) => xen.mm.bases.of(4)!.guest_table_plus_1.put(0, 0)],
  ['descriptors that nobody uses', ({ xen }) => xen.mm.setContext(4, 0, { gdt_frames: [] })],
])('references that do not fit the tables in memory are seen: %s', (_, damage) => {
  const host = busyHost();
  expect([...tableFlaws(host.xen, host.memory)]).toEqual([]);
  damage(host);
  expect([...tableFlaws(host.xen, host.memory)]).not.toEqual([]);
});

test('every invariant can be broken', () => {
  expect(new Set(breakages.map(([name]) => name))).toEqual(new Set(Object.keys(coreInvariants)));
});

test('a host says so in the step that breaks one', () => {
  const host = busyHost();
  host.xen.domain.of(0)!.tot_pages.add(1, 1);
  expect(() => host.submit({ type: 'sysctl.physinfo', domid: 0 })).toThrow(
    /p2m\.totPagesCountsThePages: d1 has 6 pages, counted 7/,
  );
});
