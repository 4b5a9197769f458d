// A guest's end of its XenStore ring: what its xenbus driver sends and what it finds in the ring.
import { bool, int, operation, text } from './schema.ts';

export const operations = {
  /** A request of `issuer` is on the ring under this id. */
  'xenbus.note_sent': operation({ domid: int, req_id: int, issuer: text, request: text }),
  /** The reply to it has been read from the ring; `payload` is as xs_wire.h has it. */
  'xenbus.note_reply': operation({ domid: int, req_id: int, ok: bool, payload: text }),
  'xenbus.note_watch': operation({ domid: int, path: text, token: text }),
} as const;

export const facts = {
  'xenbus.request_sent': { domid: int, req_id: int, issuer: text, request: text },
  'xenbus.reply_received': { domid: int, req_id: int, issuer: text, request: text, ok: bool, payload: text },
  'xenbus.watch_received': { domid: int, path: text, token: text },
} as const;
