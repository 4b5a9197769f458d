// One client: a stream of requests in, a stream of replies and events out. It asks and is told; what it all means is in the log.
import type { Socket } from 'node:net';
import { xsd_sockmsg } from '../../src/abi/xs-wire.ts';
import { PAYLOAD_MAX } from '../../src/xenstore/index.ts';
import { type Numbered, Outbox } from './outbox.ts';

/** What a client does to the host. */
export interface Listener {
  request(client: Client, type: number, req_id: number, tx_id: number, payload: string): void;
  /** It sent what can not be framed. */
  nonsense(client: Client): void;
  /** Its reader has stopped, or has caught up. */
  blocks(client: Client): void;
  drains(client: Client): void;
  /** How long its next request has to wait, in milliseconds. */
  delay(client: Client): number;
  /** Virtual time, in milliseconds. */
  now(): number;
  /** Lets something leave when every step up to now is safe. */
  whenSafe(leave: () => void): void;
  /** Much has been collected: it goes out now, as soon as it is safe. What is little goes at the end of the turn by itself. */
  commit(): void;
}

const HEADER = xsd_sockmsg.x86_64.size;
/** Replies are handed to the system in pieces of about this size. */
const PIECE = 1 << 16;

export class Client {
  readonly conn: number;
  /** Bytes that wait for a reader that has stopped. */
  waiting = 0;
  blocked = false;
  private readonly listener: Listener;
  private readonly outbox = new Outbox();
  private queue: { readonly message: Numbered; readonly until: number }[] = [];
  private rest: Buffer = nothing;
  private socket: Socket | undefined;
  private timer: NodeJS.Timeout | undefined;
  private serving = false;
  /** What comes is not read any more. */
  private deaf = false;

  constructor(conn: number, listener: Listener) {
    this.conn = conn;
    this.listener = listener;
  }

  /** Whoever is at the other end from now on. */
  attach(socket: Socket): void {
    this.socket?.destroy();
    this.detach();
    this.socket = socket;
    socket.on('data', (chunk) => {
      if (this.socket !== socket || this.deaf) return;
      this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
      this.serve();
    });
    socket.on('error', () => {}); // 'close' follows
  }
  /** Nobody is there any more: what waits is given up. */
  detach(): void {
    this.socket = undefined;
    this.queue = [];
    this.waiting = 0;
    this.outbox.used = 0;
    if (this.timer) clearTimeout(this.timer);
    this.timer = undefined;
    if (!this.blocked) return;
    this.blocked = false;
    this.listener.drains(this);
  }
  isAt(socket: Socket): boolean {
    return this.socket === socket;
  }
  /** Its ring starts again: the beginning of a message is forgotten, and what it has not read. */
  restart(): void {
    this.rest = nothing;
    this.queue = [];
    this.waiting = 0;
  }
  /** Nothing is read from it any more, and nothing collected for it. */
  isLeaving(): void {
    this.deaf = true;
    this.rest = nothing;
  }
  /** The end, at once: what was collected for it is nobody's to know. */
  drop(): void {
    this.isLeaving();
    this.outbox.used = 0;
    this.blocked = false;
    this.socket?.destroy();
    this.detach();
  }
  /** The end, as soon as what was sent is out; at once where nobody reads it. */
  end(): void {
    const { socket } = this;
    this.rest = nothing;
    if (!socket) return;
    if (this.blocked || !this.outbox.flush(socket)) socket.destroy();
    else socket.destroySoon();
    this.blocked = false; // its connection is gone, and needs no telling
    this.detach();
  }

  /** @param until a message that still waits at this time (milliseconds) is dropped */
  send(message: Numbered, until = Number.POSITIVE_INFINITY): void {
    if (!this.socket) return;
    if (!this.blocked) {
      this.outbox.add(message);
      return;
    }
    this.queue.push({ message, until });
    this.waiting += HEADER + message.payload.length;
  }

  flush(): void {
    const { socket } = this;
    if (!socket || this.blocked || this.outbox.flush(socket)) return;
    this.blocked = true;
    socket.pause();
    this.listener.blocks(this);
    this.await(socket);
  }

  /** Takes requests as long as there are any and its replies are read. */
  private serve(): void {
    if (this.serving || this.timer) return;
    this.serving = true;
    let at = 0;
    const { rest } = this;
    while (!this.blocked && !this.deaf && this.socket && rest.length - at >= HEADER) {
      const length = rest.readUInt32LE(at + 12);
      if (length > PAYLOAD_MAX) {
        this.deaf = true;
        this.listener.nonsense(this);
        at = rest.length;
        break;
      }
      const end = at + HEADER + length;
      if (end > rest.length) break;
      const delay = this.listener.delay(this);
      if (delay > 0) {
        this.sleep(delay);
        break;
      }
      const payload = rest.toString('latin1', at + HEADER, end);
      const [type, req_id, tx_id] = [rest.readUInt32LE(at), rest.readUInt32LE(at + 4), rest.readUInt32LE(at + 8)];
      at = end;
      this.listener.request(this, type, req_id, tx_id, payload);
      if (this.outbox.used > PIECE) this.listener.commit();
    }
    if (this.rest === rest) this.rest = at === rest.length ? nothing : rest.subarray(at);
    this.serving = false;
  }

  private sleep(ms: number): void {
    this.socket?.pause();
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.socket?.resume();
      this.serve();
    }, ms);
  }

  /** Until the system has taken what it was given: then the rest goes out, and requests are read again. */
  private await(socket: Socket): void {
    socket.write('', () => this.listener.whenSafe(() => this.goOn(socket)));
  }
  private goOn(socket: Socket): void {
    if (this.socket !== socket) return;
    const { queue } = this;
    const now = this.listener.now();
    this.queue = [];
    this.waiting = 0;
    for (const { message, until } of queue) if (until > now) this.outbox.add(message);
    if (!this.outbox.flush(socket)) {
      this.await(socket);
      return;
    }
    this.blocked = false;
    this.listener.drains(this);
    socket.resume();
    this.serve();
  }
}

const nothing = Buffer.alloc(0);
