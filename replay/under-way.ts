// What guests had asked of xenstored at a checkpoint and it had not taken yet: the log shows these requests later, as whose they are.
import { byteString, bytesOf } from '../events/bytes.ts';
import type { Log } from '../events/log.ts';
import type { Command } from '../events/vocabulary.ts';
import type { Dom0Snapshot } from '../machines/executor/dom0-services.ts';
import type { PrivatesSnapshot } from '../machines/executor/private.ts';
import type { Checkpoint } from '../machines/system/dispatcher.ts';
import { xsd_sockmsg } from '../src/abi/xs-wire.ts';
import { Memory } from '../src/memory/memory.ts';
import { Journal } from '../src/tables/journal.ts';
import { readReq } from '../src/xenbus/ring/xenstore.ts';
import { decode } from '../src/xenstore/index.ts';
import { emptyHost } from './fold.ts';

const HEADER = xsd_sockmsg.x86_64.size;

/** Each with its issuer, a guest's in the order in which they were sent. */
export function requestsUnderWay(log: Log, checkpoint: Checkpoint): { readonly issuer: string; readonly command: Command }[] {
  const { xenstored } = checkpoint.dom0 as Dom0Snapshot;
  if (xenstored.connections.size === 0) return [];
  const host = emptyHost(log);
  host.restore(checkpoint.host);
  const memory = new Memory(new Journal());
  memory.restore(checkpoint.memory);
  const found: { issuer: string; command: Command }[] = [];
  for (const [domid, { mfn, rx }] of xenstored.connections) {
    const sent = host.guests.records.get(domid)?.requests;
    if (!sent || sent.length === 0) continue;
    // What xenstored has of the first, what is on the ring, and what had no room there.
    const kept = (checkpoint.guests as PrivatesSnapshot).guests.get(domid)?.storeTx ?? '';
    let stream = rx + byteString(readReq(memory, mfn)) + kept;
    for (;;) {
      const header = xsd_sockmsg.x86_64.read(bytesOf(stream.slice(0, HEADER)));
      if (!header || stream.length < HEADER + header.len) break;
      const { type, tx_id, req_id, len } = header;
      const payload = stream.slice(HEADER, HEADER + len);
      stream = stream.slice(HEADER + len);
      const issuer = sent.find((one) => one.req_id === req_id)?.issuer;
      if (issuer !== undefined)
        found.push({ issuer, command: decode(type, tx_id, payload, domid, host.store.profile) as Command });
    }
  }
  return found;
}
