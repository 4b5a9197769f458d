// The layout of version 1, for the files that begin with its checkpoint and not with a description of it: they have its digest alone.
import type { ColumnLayout, StateLayout } from './layout.ts';

/** What such a checkpoint begins with, in hexadecimal digits. */
export const FIRST_DIGEST = '5f4343a78f7f401fee875778c2685ac6141a7ca56abc653f3fa9b47561959197';

/** A line for each table, and what is indented belongs to the line before: its name, rows in a page, columns with their types or names. */
const tables = `
domain 16 state=none|alive|dying|dead controller_pause_count=i32
  shut_down=no|poweroff|reboot|suspend|crash|watchdog|soft_reset hvm=u8 ssidref=u32 max_vcpus=u16 nr_vcpus=u16 tot_pages=f64
  max_pages=f64 shared_info_mfn=f64 max_evtchn_port=f64 max_grant_frames=u32 max_maptrack_frames=u32 nr_grant_frames=u32
  foreign_maps=i32 weight=u16 shown_slots=i32 free_port_hint=u32 free_handle_hint=u32 is_32bit=u8 time_offset_s=f64
  tsc_mode=default|always_emulate|never_emulate vtsc=u8 tsc_offset_ns=f64 tsc_khz=u32 tsc_incarnation_plus_1=f64
  grant_version=v1|v2 max_grant_version=v1|v2 nr_status_frames=u32 maptrack_limit=u32 maptrack_head=u32 maptrack_tail=u32
  cpupool_plus_1=u16 cap=u16 budget=f64 next_repl_ns=f64 shutdown_code_plus_1=u16
rover 1 domid=u16
handle 16 a=u32 b=u32 c=u32 d=u32
vcpu 4 runstate=none|running|runnable|blocked|offline initialised=u8 up=u8 blocked=u8 pauses=i32 detached=u8 cpu=u16
  entry_ns=f64 until_ns=f64 time_running=f64 time_runnable=f64 time_blocked=f64 time_offline=f64 credit=f64 woken_by=f64
  info_mfn_plus_1=f64 info_offset=u32 runstate_addr_plus_1=f64 time_addr_plus_1=f64 nmi_pending=u8 runqueue=u16 rank=u32
  deadline_ns=f64 tickled=u16 parked=u8 hard=u8 soft=u8 overridden=u8 budget=f64 waits_since=f64 avgload=f64 load_ns=f64
pcpu 16 state=none|idle|running|offline domid=u16 vcpu=u8 local_ns=f64 pool=u16 free=u8 runqueue=u16 tickled_for=f64
  relieved=u8 busy_ns=f64 away_since=f64 away_ns=f64 unit=f64
sched 1 base=f64 load=f64 avgload=f64 load_ns=f64
runqueue 64 item=u32
runqueue.places 64 position=u32
runqueue.1 64 item=u32
runqueue.1.places 64 position=u32
runqueue.p0 64 item=u32
runqueue.p0.places 64 position=u32
runqueue.p1 64 item=u32
runqueue.p1.places 64 position=u32
runqueue.a0 64 item=u32
runqueue.a0.places 64 position=u32
runqueue.a1 64 item=u32
runqueue.a1.places 64 position=u32
sched.timers 64 item=u32
sched.timers.places 64 position=u32
null.waitq 64 item=u32
null.waitq.places 64 position=u32
cpupool 4 state=none|present cpupool_id=f64 sched=none|credit|credit2|arinc653|rtds|null tslice_plus_1=u32
  ratelimit_plus_1=u32 migration_delay_us=u32 n_dom=i32 balance=f64 major_frame=f64 frame_start=f64 entries=u16
  max_weight=u16
arinc653 4 runtime=f64 a=u32 b=u32 c=u32 d=u32 vcpu=u16 unit=f64
sched.timer 4 state=off|armed deadline_ns=f64 armed_by=f64
sched.weight 64 domains=i32
evtchn 64 state=free|unbound|interdomain|virq|ipi|pirq notify_vcpu=u8 remote_dom=u16 remote_port=u32 virq=u16 raised_by=f64
virq 32 port=u32
timer 4 state=off|armed deadline_ns=f64 period_ns=f64 armed_by=f64
timers 64 item=u32
timers.places 64 position=u32
grant 32 readers=u8 writers=u8 mfn=f64 domid=u16 devr=u8 devw=u8
gframe 4 mfn_plus_1=f64
maptrack 32 state=free|mapped dom=u16 ref=u32 mfn=f64 readonly=u8 flags=u16 host_addr=f64 next=i32
virq.handler 32 domid=u16
conring 1 conringc=u32 conringp=u32 lower=i32 upper=i32 guest_lower=i32 guest_upper=i32 alt_keys=u8 adjusts_guest=u8
  spent=f64 limited_at_ms=f64 missed=u32 to_xen=u8 presses=u8
conring.bytes 64 bytes=u32
pci 8 state=none|assigned|quarantined sbdf=u32 domid=u16 is_extfn=u8 is_virtfn=u8 physfn=u32 msix_prepared=u8
gsi 8 state=none|registered mode=u8
ioapic 8 unmasked=u32
memtype 8 nr_mfns=f64 mfn=f64 memtype=u8 uses=u32
pm 1 sched_smt=u8 max_cstate=i32 max_csubstate=i32
trace 1 enabled=u8 pages=u32 mask=u32
trace.level 8 above=u8
control 16 debugger_attached=u8 target_plus_1=u16 cdf=u32 emulation_flags=u32 misc_flags=u32 creation_finished=u8
  suspend_evtchn=u32 access_required=u8 log_dirty=u8 monitor=u32 pirq_eoi_mfn_plus_1=f64 auto_unmask=u8 s3_suspended=u8
claim 1 pages=f64
released 4 mfn_plus_1=f64
slot 4 mfn_plus_1=f64 gfn=f64 dom=u16
sweep 1 reclaim_single=f64 max_guest=f64
baseptr 4 guest_table_plus_1=f64 guest_table_user_plus_1=f64
vm_assist 64 on=u8
poll 4 state=none|polling port=u32
affinity 4 hard=u32 soft=u32 saved=u32
credit 4 active=u8 credit=f64 last_ns=f64
rtds 4 period_ns=f64 budget_ns=f64 strict=u8 left=f64
pirq 16 state=none|mapped|allocated port=u32
evtchn.control 4 mfn_plus_1=f64 offset=u32
evtchn.queue 16 tail=u32
evtchn.array 4 mfn_plus_1=f64
evtchn.fifo 64 saved=u8 priority=i32 last_vcpu=u8 last_priority=u8
gstatus 4 mfn_plus_1=f64
control.vcpu 4 controller_pause_count=u16 debug_event=u8 iopl=u8 iobmp_limit=u32 upcall_vector=u8 injected_plus_1=u16
hvm.param 8 low=u32 high=u32
hvm.line 32 level=u8
wallclock 1 sec=f64 nsec=u32
frame 64 refs=f64 domid=u16
  type=none|l1_page_table|l2_page_table|l3_page_table|l4_page_table|seg_desc_page|writable_page|pae_xen_l2_table
  type_count=f64 foreign_refs=f64 pinned=u8 linear=i32
m2p 64 gpfn_plus_2=f64
irq 32 handler=none|timer|store|console|vbd|vif|domain dev=u32 peer=u16
gref 64 state=free|granted remote_dom=u16
console 16 state=closed|open mfn=f64 local_port=u32
vbd.front 4 state=free|connected vdev=u32 ring_gfn=f64 ring_ref=u32 port=u32 backend=u16 req_prod=u32 rsp_cons=u32
vbd.back 16 state=free|open|connected frontend=u16 vdev=u32 readonly=u8 sectors=f64 ring_mfn=f64 ring_handle=u32 port=u32
  req_cons=u32 rsp_prod=u32
vbd.request 32 state=free|submitted|served vdev=u32 op=read|write|barrier|flush|discard sector=f64 nr_sectors=u32
  submitted_by=f64 served_by=f64
vif.front 2 state=free|connected devid=u32 mac=f64 tx_gfn=f64 tx_ref=u32 rx_gfn=f64 rx_ref=u32 tx_port=u32 rx_port=u32
  backend=u16 tx_req_prod=u32 tx_rsp_cons=u32 rx_req_prod=u32 rx_rsp_cons=u32
vif.back 16 state=free|connected frontend=u16 devid=u32 tx_mfn=f64 tx_handle=u32 rx_mfn=f64 rx_handle=u32 tx_port=u32
  rx_port=u32 xdp_headroom=u32 tx_req_cons=u32 tx_rsp_prod=u32 rx_req_cons=u32 rx_rsp_prod=u32
vif.tx 64 state=free|sent|taken size=u32 sent_by=f64 taken_by=f64
vif.rx 64 state=free|filled filled_by=f64
`;
const records = `
memory_map pv_vcpu console.lines control.settings control.access control.pools hvm.ioreq_servers hvm.types console.typed
  pminfo offlined apics trace.buffers guest typed vbd.disk bridge host job config
`;

export function firstLayout(): Pick<StateLayout, 'version' | 'tables' | 'records'> {
  const lines = tables.trim().replaceAll(/\n +/g, ' ').split('\n');
  return {
    version: 1,
    tables: lines.map((line) => {
      const [name = '', pageRows, ...columns] = line.split(' ');
      return [name, Number(pageRows), columns.map(columnOf)];
    }),
    records: records.trim().split(/\s+/),
  };
}

function columnOf(text: string): ColumnLayout {
  const [name = '', type = ''] = text.split('=');
  return [name, type.includes('|') ? type.split('|') : (type as 'u8')];
}
