// What xenstored has to send into rings and could not yet: messages by domain, oldest first.
import type { DomId, Ns } from '../../events/units.ts';
import type { Journal } from '../../src/tables/journal.ts';
import { Records } from '../../src/tables/records.ts';

export interface Waiting {
  readonly bytes: string;
  readonly reply: boolean;
  /** An event that nobody has begun to read by then is dropped. */
  readonly until: Ns;
}

/** Where a domain's messages are among all. */
interface Bounds {
  readonly first: number;
  readonly next: number;
  /** How many of them are replies. */
  readonly replies: number;
  /** How much of the first is sent already. */
  readonly sent: number;
}
const empty: Bounds = { first: 0, next: 0, replies: 0, sent: 0 };

export interface QueueSnapshot {
  readonly bounds: ReadonlyMap<number, Bounds>;
  readonly messages: ReadonlyMap<number, Waiting>;
}

export class Queue {
  private readonly bounds: Records<Bounds>;
  private readonly messages: Records<Waiting>;
  constructor(journal: Journal) {
    this.bounds = new Records('xenstored.queue', journal);
    this.messages = new Records('xenstored.message', journal);
  }

  isEmpty(domid: DomId): boolean {
    const { first, next } = this.of(domid);
    return first === next;
  }
  /** Replies that have not been read: requests in flight, as xenstored counts them. */
  outstanding(domid: DomId): number {
    return this.of(domid).replies;
  }
  add(domid: DomId, message: Waiting): void {
    const bounds = this.of(domid);
    this.messages.set(keyOf(domid, bounds.next), message);
    this.bounds.set(domid, { ...bounds, next: bounds.next + 1, replies: bounds.replies + (message.reply ? 1 : 0) });
  }
  clear(domid: DomId): void {
    while (!this.isEmpty(domid)) this.remove(domid);
    this.bounds.delete(domid);
  }

  /** Sends what `write` takes, and answers how many bytes that was. */
  send(domid: DomId, now: Ns, write: (bytes: string) => number): number {
    let total = 0;
    while (!this.isEmpty(domid)) {
      const { first, sent } = this.of(domid);
      const { bytes, reply, until } = this.messages.get(keyOf(domid, first))!;
      if (!reply && sent === 0 && until <= now) {
        this.remove(domid);
        continue;
      }
      const written = write(bytes.slice(sent));
      total += written;
      if (sent + written < bytes.length) {
        this.bounds.set(domid, { ...this.of(domid), sent: sent + written });
        break;
      }
      this.remove(domid);
    }
    return total;
  }

  snapshot(): QueueSnapshot {
    return { bounds: this.bounds.snapshot(), messages: this.messages.snapshot() };
  }
  restore({ bounds, messages }: QueueSnapshot): void {
    this.bounds.restore(bounds);
    this.messages.restore(messages);
  }
  digest(): number {
    return (this.bounds.digest() ^ this.messages.digest()) >>> 0;
  }

  private of(domid: DomId): Bounds {
    return this.bounds.get(domid) ?? empty;
  }
  private remove(domid: DomId): void {
    const { first, next, replies } = this.of(domid);
    const key = keyOf(domid, first);
    const { reply } = this.messages.get(key)!;
    this.messages.delete(key);
    this.bounds.set(domid, { first: first + 1, next, replies: replies - (reply ? 1 : 0), sent: 0 });
  }
}

/** Numbers start again with every ring: a domain does not live to see 2^32 messages wait. */
const keyOf = (domid: DomId, index: number): number => domid * 2 ** 32 + (index % 2 ** 32);
