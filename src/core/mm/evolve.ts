import { FRAME_FIELDS } from '../../../events/mm.ts';
import type { FactOf, MmFact } from '../../../events/vocabulary.ts';
import type { Xen } from '../xen.ts';
import { contextOf } from './load-context.ts';
import { pageTypes } from './state.ts';

/** Applies a fact to what is counted of frames, and to what vCPUs have told. Total; the only writer of this slice. */
export function evolve(xen: Xen, event: MmFact): void {
  const { mm } = xen;
  switch (event.type) {
    case 'mm.frames_changed': {
      const { frames } = event;
      for (let i = 0; i + FRAME_FIELDS <= frames.length; i += FRAME_FIELDS) {
        mm.put(frames[i]!, {
          domid: frames[i + 1]!,
          type: pageTypes[frames[i + 2]!]!,
          type_count: frames[i + 3]!,
          refs: frames[i + 4]!,
          foreign_refs: frames[i + 5]!,
          pinned: frames[i + 6] === 1,
          linear: frames[i + 7]!,
        });
      }
      return;
    }
    case 'mm.entry_written':
    case 'mm.table_adjusted':
    case 'mm.pae_table_adjusted':
    case 'mm.descriptors_adjusted':
    case 'mm.page_cleared':
    case 'mm.page_copied':
      return; // bytes in guest memory
    case 'mm.baseptr_set': {
      const rows = mm.bases.of(event.domid) ?? mm.bases.add(event.domid);
      (event.user ? rows.guest_table_user_plus_1 : rows.guest_table_plus_1).put(event.vcpu, event.mfn + 1);
      return;
    }
    case 'mm.assist_set':
      (mm.assists.of(event.domid) ?? mm.assists.add(event.domid)).on.put(event.assist, event.on ? 1 : 0);
      return;
    default:
      told(xen, event);
  }
}
type Told = Exclude<
  MmFact,
  FactOf<
    | 'mm.frames_changed'
    | 'mm.entry_written'
    | 'mm.table_adjusted'
    | 'mm.pae_table_adjusted'
    | 'mm.descriptors_adjusted'
    | 'mm.page_cleared'
    | 'mm.page_copied'
    | 'mm.baseptr_set'
    | 'mm.assist_set'
  >
>;

function told(xen: Xen, event: Told): void {
  const { mm } = xen;
  const { domid, vcpu } = event;
  const context = mm.context(domid, vcpu);
  switch (event.type) {
    case 'mm.ldt_set':
      mm.setContext(domid, vcpu, { ldt_base: event.base, ldt_ents: event.ents });
      return;
    case 'mm.gdt_set':
      mm.setContext(domid, vcpu, { gdt_frames: [...event.frames], gdt_ents: event.ents });
      return;
    case 'mm.trap_set': {
      const { vector, flags, cs, address } = event;
      mm.setContext(domid, vcpu, { trap_table: { ...context.trap_table, [vector]: { flags, cs, address } } });
      return;
    }
    case 'mm.trap_cleared': {
      const { [event.vector]: _, ...trap_table } = context.trap_table;
      mm.setContext(domid, vcpu, { trap_table });
      return;
    }
    case 'mm.traps_cleared':
      mm.setContext(domid, vcpu, { trap_table: {} });
      return;
    case 'mm.stack_switched':
      mm.setContext(domid, vcpu, { kernel_ss: event.ss, kernel_sp: event.esp });
      return;
    case 'mm.callback_registered': {
      const { callback, address, flags } = event;
      mm.setContext(domid, vcpu, { callbacks: { ...context.callbacks, [callback]: { address, flags } } });
      return;
    }
    case 'mm.segment_base_set':
      mm.setContext(domid, vcpu, { segment_bases: { ...context.segment_bases, [event.which]: event.base } });
      return;
    case 'mm.debugreg_set': {
      const { reg, value } = event;
      if (reg === 6) mm.setContext(domid, vcpu, { dr6: value });
      else if (reg === 7) mm.setContext(domid, vcpu, { dr7: value, dr7_emul: event.emulated });
      else mm.setContext(domid, vcpu, { dr: context.dr.with(reg & 3, value) });
      return;
    }
    case 'mm.taskswitch_set':
      mm.setContext(domid, vcpu, { ts: event.ts });
      return;
    case 'mm.iret_done': {
      const { rip, cs, rflags, rsp, ss, user, iopl } = event;
      mm.setContext(domid, vcpu, { regs: { rip, cs, rflags, rsp, ss }, user, iopl });
      return;
    }
    case 'mm.context_loaded':
      mm.setContext(domid, vcpu, contextOf(xen.is32bit(domid), event.context));
      return;
    default:
      event satisfies never;
  }
}
