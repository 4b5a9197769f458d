import type { GuestFact, XenbusFact } from '../../events/vocabulary.ts';
import type { Guests } from './state.ts';

/** Applies a fact to what actor guests keep. Total; the only writer of this slice. */
export function evolve(guests: Guests, event: GuestFact | XenbusFact, seq: number): void {
  const { domid } = event;
  switch (event.type) {
    case 'guest.image_built': {
      const { kernel, cmdline, store_port, console_port } = event;
      const nothing = { started: false, started_ns: 0, next_work: 1, works: [], next_req_id: 1, requests: [], processes: [] };
      guests.records.set(domid, { kernel, cmdline, store_port, console_port, ...nothing });
      return;
    }
    case 'guest.started':
      guests.records.update(domid, (record) => {
        record.started = true;
        record.started_ns = event.at_ns;
      });
      return;
    case 'guest.irq_bound': {
      const irqs = guests.irq.of(domid);
      irqs?.handler.become(event.port, event.handler);
      irqs?.dev.put(event.port, event.dev);
      irqs?.peer.put(event.port, event.peer);
      return;
    }
    case 'guest.irq_unbound': {
      const irqs = guests.irq.of(domid);
      irqs?.handler.become(event.port, 'none');
      irqs?.dev.put(event.port, 0);
      irqs?.peer.put(event.port, 0);
      return;
    }
    case 'guest.page_granted': {
      const refs = guests.gref.of(domid);
      refs?.state.become(event.ref, 'granted');
      refs?.remote_dom.put(event.ref, event.remote_dom);
      return;
    }
    case 'guest.access_ended': {
      const refs = guests.gref.of(domid);
      refs?.state.become(event.ref, 'free');
      refs?.remote_dom.put(event.ref, 0);
      return;
    }
    case 'guest.process_started':
      guests.records.update(domid, (record) => {
        record.processes.push(event.name);
      });
      return;
    case 'guest.process_exited':
      guests.records.update(domid, (record) => {
        record.processes = record.processes.filter((name) => name !== event.name);
      });
      return;
    case 'guest.work_started': {
      const { work, issuer, kind, args } = event;
      guests.records.update(domid, (record) => {
        record.next_work = work + 1;
        record.works.push({ work, issuer, kind, args: [...args], started_by: seq });
      });
      return;
    }
    case 'guest.work_finished':
      guests.records.update(domid, (record) => {
        record.works = record.works.filter((one) => one.work !== event.work);
      });
      return;
    case 'xenbus.request_sent': {
      const { req_id, issuer, request } = event;
      guests.records.update(domid, (record) => {
        record.next_req_id = req_id + 1;
        record.requests.push({ req_id, issuer, request });
      });
      return;
    }
    case 'xenbus.reply_received':
      guests.records.update(domid, (record) => {
        record.requests = record.requests.filter((one) => one.req_id !== event.req_id);
      });
      return;
    case 'guest.irq_handled':
    case 'guest.device_changed':
    case 'guest.devices_stopping':
    case 'hvc.text_written':
    case 'hvc.input_received':
    case 'xenbus.watch_received':
      return; // for the guest's actors; nothing in a table
    default:
      event satisfies never;
  }
}
