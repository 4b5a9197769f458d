import { bytesOf } from '../../events/bytes.ts';
import type { GuestFact } from '../../events/vocabulary.ts';
import { MAX_GUEST_CMDLINE, start_info } from '../abi/start-info.ts';
import { vcpuInfo } from '../core/evtchn/pending.ts';
import { entryFrame, entryOffset } from '../core/gnttab/decide.ts';
import { GTF_permit_access, GTF_readonly } from '../core/gnttab/state.ts';
import type { Xen } from '../core/xen.ts';
import type { Frames } from '../memory/memory.ts';

/** What the domain builder and an actor guest's grant code write. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, frames: Frames, event: GuestFact): void {
  switch (event.type) {
    case 'guest.image_built': {
      const { domid } = event;
      const mfn = (gfn: number): bigint => BigInt(xen.p2m.mfn(domid, gfn));
      const page = new Uint8Array(start_info.x86_64.size);
      start_info.x86_64.write(page, {
        magic: padded('xen-3.0-x86_64', 32),
        nr_pages: BigInt(xen.domain.of(0)!.tot_pages.at(domid)),
        shared_info: BigInt(xen.sharedInfo(domid)) << 12n,
        store_mfn: mfn(event.store_gfn),
        store_evtchn: event.store_port,
        console: { domU: { mfn: mfn(event.console_gfn), evtchn: event.console_port } },
        cmd_line: padded(event.cmdline.slice(0, MAX_GUEST_CMDLINE - 1), MAX_GUEST_CMDLINE),
      });
      frames.write(xen.p2m.mfn(domid, event.start_info_gfn), 0, page);
      // As libxc leaves it (tools/libs/guest/xg_dom_x86.c): every vCPU starts with its upcalls masked.
      for (let vcpu = 0; vcpu < 32; vcpu++) frames.put8(xen.sharedInfo(domid), vcpuInfo(vcpu) + UPCALL_MASK, 1);
      return;
    }
    case 'guest.started':
      frames.put8(xen.sharedInfo(event.domid), vcpuInfo(0) + UPCALL_MASK, 0);
      return;
    case 'guest.page_granted': {
      const table = entryFrame(xen, event.domid, event.ref);
      const at = entryOffset(event.ref);
      frames.put16(table, at + 2, event.remote_dom);
      frames.put32(table, at + 4, xen.grantFrameNumber(event.domid, event.gfn));
      frames.put16(table, at, GTF_permit_access | (event.readonly ? GTF_readonly : 0));
      return;
    }
    case 'guest.access_ended':
      frames.put16(entryFrame(xen, event.domid, event.ref), entryOffset(event.ref), 0);
      return;
  }
}

/** struct vcpu_info: evtchn_upcall_mask follows evtchn_upcall_pending. */
const UPCALL_MASK = 1;

function padded(text: string, size: number): Uint8Array {
  const bytes = new Uint8Array(size);
  bytes.set(bytesOf(text));
  return bytes;
}
