// Messages on their way to one socket, as bytes: collected, written in one go, and held back where the reader is slow.
import type { Socket } from 'node:net';
import { xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import type { Message } from '../../src/xenstore/index.ts';

const HEADER = xsd_sockmsg.x86_64.size;
const FIRST_SIZE = 1 << 12;

/** A message with the numbers of the request that it answers; an event has 0. */
export interface Numbered extends Message {
  readonly req_id: number;
  readonly tx_id: number;
}

export class Outbox {
  /** Bytes that have been collected and not written. */
  used = 0;
  private bytes = Buffer.allocUnsafe(FIRST_SIZE);

  add({ type, req_id, tx_id, payload }: Numbered): void {
    const end = this.used + HEADER + payload.length;
    if (end > this.bytes.length) this.grow(end);
    const { bytes, used } = this;
    bytes.writeUInt32LE(type, used);
    bytes.writeUInt32LE(req_id, used + 4);
    bytes.writeUInt32LE(tx_id, used + 8);
    bytes.writeUInt32LE(payload.length, used + 12);
    if (payload.length > 0) bytes.write(payload, used + HEADER, 'latin1');
    this.used = end;
  }

  /** Hands everything to the system; false where it does not take it all now. */
  flush(socket: Socket): boolean {
    if (this.used === 0) return true;
    socket.write(this.bytes.subarray(0, this.used));
    this.used = 0;
    if (socket.writableLength === 0) return true;
    this.bytes = Buffer.allocUnsafe(FIRST_SIZE); // the other one is being written
    return false;
  }

  private grow(size: number): void {
    let length = this.bytes.length * 2;
    while (length < size) length *= 2;
    const bytes = Buffer.allocUnsafe(length);
    this.bytes.copy(bytes, 0, 0, this.used);
    this.bytes = bytes;
  }
}
