// An actor guest's kernel at work in its own domain. These are no hypercalls: a refusal here is the kernel's own.
import { accept, type GuestReader, refuse } from '../../events/step.ts';
import type { DomId, Ns, Port } from '../../events/units.ts';
import type { Fact, GuestCommand, Outcome, XenbusCommand } from '../../events/vocabulary.ts';
import { XENSTORE_PAYLOAD_MAX } from '../abi/xs-wire.ts';
import { EVTCHN_2L_NR_CHANNELS } from '../core/evtchn/state.ts';
import { entryFrame, entryOffset } from '../core/gnttab/decide.ts';
import { ENTRIES_PER_FRAME, GTF_reading, GTF_writing } from '../core/gnttab/state.ts';
import type { Xen } from '../core/xen.ts';
import { CONSOLE_GFN, FIRST_GREF, type Guests, LIMITS, pageOf, programs, START_INFO_GFN, STORE_GFN } from './state.ts';

/** Checks what a kernel does in its own domain: ESRCH where that is not there or dying. The bounds are `LIMITS`. */
export function decide(xen: Xen, guests: Guests, command: GuestCommand | XenbusCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  if (!xen.isAlive(domid)) return refuse('ESRCH');

  if (command.type === 'xc.dom_boot_image') {
    const { kernel, cmdline, store_port, console_port } = command;
    if (guests.records.get(domid)) return refuse('EEXIST');
    if (kernel.length > LIMITS.path) return refuse('ENAMETOOLONG');
    if (cmdline.length > LIMITS.args) return refuse('E2BIG');
    for (const port of [store_port, console_port]) if (!(port >= 0 && port < EVTCHN_2L_NR_CHANNELS)) return refuse('EINVAL');
    const store_mfn = xen.p2m.mfn(domid, STORE_GFN);
    const console_mfn = xen.p2m.mfn(domid, CONSOLE_GFN);
    if (store_mfn < 0 || console_mfn < 0 || xen.p2m.mfn(domid, START_INFO_GFN) < 0) return refuse('ENOMEM');
    return accept(
      { store_mfn, console_mfn },
      {
        type: 'guest.image_built',
        domid,
        kernel,
        cmdline,
        start_info_gfn: START_INFO_GFN,
        store_gfn: STORE_GFN,
        console_gfn: CONSOLE_GFN,
        store_port,
        console_port,
      },
    );
  }

  // dom0's kernel was there before us; it has handlers but no image of ours.
  const irqs = guests.irq.of(domid);
  if (!irqs) return refuse('ESRCH');
  switch (command.type) {
    case 'guest.bind_irq': {
      const { port, handler, dev, peer } = command;
      if (!hasPort(xen, domid, port) || handler === 'none' || !isU32(dev) || !isU16(peer)) return refuse('EINVAL');
      if (irqs.handler.is(port) !== 'none') return refuse('EBUSY');
      return accept({}, { type: 'guest.irq_bound', domid, port, handler, dev, peer });
    }
    case 'guest.unbind_irq':
      return irqs.handler.is(command.port) === 'none'
        ? refuse('EINVAL')
        : accept({}, { type: 'guest.irq_unbound', domid, port: command.port });
    case 'guest.handle_irq': {
      const { port } = command;
      return accept({}, { type: 'guest.irq_handled', domid, port, handler: irqs.handler.is(port), dev: irqs.dev.at(port) });
    }
  }

  const record = guests.records.get(domid);
  if (!record) return refuse('ENOEXEC');
  switch (command.type) {
    case 'guest.start': {
      if (record.started) return refuse('EBUSY');
      const { kernel, cmdline, store_port, console_port } = record;
      const row = xen.domain.of(0)!;
      const nr_vcpus = row.nr_vcpus.at(domid);
      const nr_pages = row.tot_pages.at(domid);
      const facts: Fact[] = [
        { type: 'guest.started', domid, kernel, cmdline, nr_vcpus, nr_pages, store_port, console_port, at_ns: now },
      ];
      // dom0 has neither: its xenstored and its console are not behind a ring. Nor need a port that was named be there.
      const bound = (port: Port): boolean => hasPort(xen, domid, port) && irqs.handler.is(port) === 'none';
      if (bound(store_port)) facts.push({ type: 'guest.irq_bound', domid, port: store_port, handler: 'store', dev: 0, peer: 0 });
      if (console_port !== store_port && bound(console_port))
        facts.push({ type: 'guest.irq_bound', domid, port: console_port, handler: 'console', dev: 0, peer: 0 });
      return accept({}, ...facts);
    }
    case 'guest.grant_page': {
      const { remote_dom, readonly } = command;
      if (!isU16(remote_dom)) return refuse('EINVAL');
      const refs = guests.gref.of(domid)!;
      const end = xen.domain.of(0)!.nr_grant_frames.at(domid) * ENTRIES_PER_FRAME;
      let ref = FIRST_GREF;
      while (refs.state.is(ref) === 'granted') ref++;
      if (ref >= end) return refuse('ENOSPC');
      const gfn = pageOf(ref);
      if (xen.p2m.mfn(domid, gfn) < 0) return refuse('ENOMEM');
      return accept({ ref, gfn }, { type: 'guest.page_granted', domid, ref, gfn, remote_dom, readonly });
    }
    case 'guest.end_access': {
      const { ref } = command;
      if (guests.gref.of(domid)!.state.is(ref) === 'free') return refuse('EINVAL');
      const flags = guest.get16(entryFrame(xen, domid, ref), entryOffset(ref));
      if ((flags & (GTF_reading | GTF_writing)) !== 0) return refuse('EBUSY');
      return accept({}, { type: 'guest.access_ended', domid, ref, gfn: pageOf(ref) });
    }
    case 'guest.spawn': {
      const { name, program, args } = command;
      if (name === '' || name.length > LIMITS.name) return refuse('EINVAL');
      if (!programs.includes(program)) return refuse('ENOENT');
      if (lengthOf(args) > LIMITS.args) return refuse('E2BIG');
      if (name === 'kernel' || record.processes.includes(name)) return refuse('EEXIST');
      if (record.processes.length >= LIMITS.processes) return refuse('EAGAIN');
      return accept({}, { type: 'guest.process_started', domid, name, program, args });
    }
    case 'guest.exit':
      return record.processes.includes(command.name)
        ? accept({}, { type: 'guest.process_exited', domid, name: command.name })
        : refuse('ESRCH');
    case 'guest.note_device': {
      const { device, dev, state, info } = command;
      if (info.length > LIMITS.path) return refuse('E2BIG');
      return accept({}, { type: 'guest.device_changed', domid, device, dev, state, info });
    }
    case 'guest.stop_devices':
      return accept({}, { type: 'guest.devices_stopping', domid });
    case 'guest.start_work': {
      const { issuer, kind, args } = command;
      if (!isOwn(domid, issuer)) return refuse('EINVAL');
      if (lengthOf(args) > LIMITS.args) return refuse('E2BIG');
      if (record.works.length >= LIMITS.works) return refuse('EBUSY');
      return accept(
        { work: record.next_work },
        { type: 'guest.work_started', domid, work: record.next_work, issuer, kind, args },
      );
    }
    case 'guest.finish_work': {
      const { work, errno, result } = command;
      if (errno.length + result.length > LIMITS.text) return refuse('E2BIG');
      const started = record.works.find((one) => one.work === work);
      if (!started) return refuse('ESRCH');
      const { issuer, kind } = started;
      return accept({}, { type: 'guest.work_finished', domid, work, issuer, kind, errno, result });
    }
    case 'hvc.write':
      if (command.text.length > LIMITS.text) return refuse('ENOSPC');
      return accept({}, { type: 'hvc.text_written', domid, text: command.text });
    case 'hvc.note_input':
      if (command.text.length > LIMITS.text) return refuse('ENOSPC');
      return accept({}, { type: 'hvc.input_received', domid, text: command.text });
    case 'xenbus.note_sent': {
      const { req_id, issuer, request } = command;
      if (req_id !== record.next_req_id || !isOwn(domid, issuer) || request.length > LIMITS.name) return refuse('EINVAL');
      if (record.requests.length >= LIMITS.requests) return refuse('EBUSY');
      return accept({}, { type: 'xenbus.request_sent', domid, req_id, issuer, request });
    }
    case 'xenbus.note_reply': {
      const { req_id, ok, payload } = command;
      if (payload.length > XENSTORE_PAYLOAD_MAX) return refuse('E2BIG');
      const sent = record.requests.find((one) => one.req_id === req_id);
      if (!sent) return refuse('ENOENT');
      const { issuer, request } = sent;
      return accept({}, { type: 'xenbus.reply_received', domid, req_id, issuer, request, ok, payload });
    }
    case 'xenbus.note_watch':
      if (command.path.length + command.token.length > XENSTORE_PAYLOAD_MAX) return refuse('E2BIG');
      return accept({}, { type: 'xenbus.watch_received', domid, path: command.path, token: command.token });
    default:
      return command satisfies never;
  }
}

/** Whether a domain has an event channel there: a handler for anything else would never be called, and takes room. */
const hasPort = (xen: Xen, domid: DomId, port: Port): boolean => {
  const ports = xen.evtchn.ports.of(domid);
  return ports !== undefined && ports.state.is(port) !== 'free';
};
/** Whether what comes back is for an actor of this domain, or for nobody: actors of others have a dot in their names as well. */
const isOwn = (domid: DomId, actor: string): boolean =>
  actor.length <= LIMITS.name && (!actor.includes('.') || actor.startsWith(`d${domid}.`));
const lengthOf = (texts: readonly string[]): number => texts.reduce((sum, text) => sum + text.length + 1, 0);
const isU16 = (value: number): boolean => (value & 0xffff) === value;
const isU32 = (value: number): boolean => value >>> 0 === value;
