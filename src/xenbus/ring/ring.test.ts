import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Memory } from '../../memory/memory.ts';
import { Journal } from '../../tables/journal.ts';
import {
  type BackRing,
  backRing,
  type FrontRing,
  finalCheckForRequests,
  finalCheckForResponses,
  freeRequests,
  frontRing,
  getRequest,
  getResponse,
  initRing,
  type Protocol,
  pushRequests,
  pushResponses,
  putRequest,
  putResponse,
  requestsOverflow,
  responsesOverflow,
  ringSize,
  SRING,
  unconsumedRequests,
  unconsumedResponses,
} from './ring.ts';

const MFN = 7;
/** A number each way; the response in the upper half of the slot, so that a mix-up shows. */
const numbers: Protocol<number, number, number> = {
  nr_ents: 4,
  entry_size: 8,
  writeRequest: (frames, mfn, at, value) => frames.put32(mfn, at, value),
  readRequest: (frames, mfn, at) => frames.get32(mfn, at),
  writeResponse: (frames, mfn, at, value) => frames.put32(mfn, at + 4, value),
  readResponse: (frames, mfn, at) => frames.get32(mfn, at + 4),
};

/** A ring as it is after `index` requests and responses. */
function ringAt(index: number): Memory {
  const memory = new Memory(new Journal());
  initRing(memory, MFN);
  memory.put32(MFN, SRING.req_prod, index);
  memory.put32(MFN, SRING.rsp_prod, index);
  memory.put32(MFN, SRING.req_event, index + 1);
  memory.put32(MFN, SRING.rsp_event, index + 1);
  return memory;
}

test('a new ring, byte by byte (public/io/ring.h, SHARED_RING_INIT)', () => {
  const memory = new Memory(new Journal());
  memory.write(MFN, 0, new Uint8Array(4096).fill(0xaa));
  initRing(memory, MFN);
  const header = [0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0];
  expect([...memory.read(MFN, 0, 64)]).toEqual([...header, ...new Array(48).fill(0)]);
  expect(memory.get8(MFN, 64)).toBe(0xaa);
});

test.each([
  [112, 32],
  [108, 32],
  [12, 256],
  [8, 256],
  [4032, 1],
])('a page holds slots of %i bytes: %i', (entry_size, nr_ents) => {
  expect(ringSize(entry_size)).toBe(nr_ents);
});

const edges = [
  ['0', 0],
  ['2^31', 2 ** 31],
  ['2^32', 2 ** 32],
] as const;

describe.each(edges)('around %s', (_, edge) => {
  const start = (edge - 2) >>> 0;

  test('slots are filled, shown, taken and answered in order', () => {
    const memory = ringAt(start);
    let front: FrontRing = frontRing(start);
    let back: BackRing = backRing(start);
    for (const value of [10, 11, 12, 13]) front = putRequest(memory, MFN, numbers, front, value)!;
    expect(putRequest(memory, MFN, numbers, front, 14)).toBeUndefined();
    expect(getRequest(memory, MFN, numbers, back)).toBeUndefined();
    expect(pushRequests(memory, MFN, front)).toBe(true);
    expect(memory.get32(MFN, SRING.req_prod)).toBe((start + 4) >>> 0);
    expect(unconsumedRequests(memory, MFN, back, numbers)).toBe(4);
    for (const value of [10, 11, 12, 13]) {
      const taken = getRequest(memory, MFN, numbers, back)!;
      expect(taken.request).toBe(value);
      back = putResponse(memory, MFN, numbers, taken.back, value + 100)!;
    }
    expect(putResponse(memory, MFN, numbers, back, 0)).toBeUndefined();
    expect(getResponse(memory, MFN, numbers, front)).toBeUndefined();
    expect(pushResponses(memory, MFN, back)).toBe(true);
    for (const value of [110, 111, 112, 113]) {
      const taken = getResponse(memory, MFN, numbers, front)!;
      expect(taken.response).toBe(value);
      front = taken.front;
    }
    const end = (start + 4) >>> 0;
    expect([front, back]).toEqual([frontRing(end), backRing(end)]);
    expect(freeRequests(front, numbers)).toBe(4);
  });

  test.each([
    // req_event relative to the old req_prod; pushed; notify
    [1, 1, true],
    [1, 3, true],
    [2, 1, false],
    [2, 2, true],
    [0, 2, false],
    [4, 3, false],
    [-5, 4, false],
    [1, 0, false],
  ])('event at +%i, %i pushed: notify %s', (event, pushed, notify) => {
    const memory = ringAt(start);
    memory.put32(MFN, SRING.req_event, start + event);
    memory.put32(MFN, SRING.rsp_event, start + event);
    const to = (start + pushed) >>> 0;
    expect(pushRequests(memory, MFN, { ...frontRing(start), req_prod_pvt: to })).toBe(notify);
    expect(pushResponses(memory, MFN, { ...backRing(start), rsp_prod_pvt: to })).toBe(notify);
  });

  test.each([
    // req_prod and req_cons relative to rsp_prod_pvt; overflow; waiting
    [4, 0, false, 4],
    [5, 0, true, 0],
    [5, 2, true, 0],
    [4, 4, false, 0],
    [3, 4, true, 0],
    [-1, 0, true, 0],
    [2 ** 31, 0, true, 0],
  ])('req_prod %i, req_cons %i: overflow %s, %i to take', (req_prod, req_cons, overflow, waiting) => {
    const memory = ringAt(start);
    memory.put32(MFN, SRING.req_prod, start + req_prod);
    const back = { rsp_prod_pvt: start, req_cons: (start + req_cons) >>> 0 };
    expect(requestsOverflow(memory, MFN, back, numbers)).toBe(overflow);
    expect(unconsumedRequests(memory, MFN, back, numbers)).toBe(waiting);
    expect(getRequest(memory, MFN, numbers, back) !== undefined).toBe(waiting > 0);
    expect(finalCheckForRequests(memory, MFN, back, numbers)).toBe(waiting > 0);
    expect(memory.get32(MFN, SRING.req_event)).toBe((start + (waiting > 0 ? 1 : req_cons + 1)) >>> 0);
  });

  test.each([
    // rsp_prod and req_prod_pvt relative to rsp_cons; overflow; waiting
    [0, 3, false, 0],
    [3, 3, false, 3],
    [4, 3, true, 0],
    [-1, 3, true, 0],
    [2 ** 31, 3, true, 0],
  ])('rsp_prod %i, req_prod_pvt %i: overflow %s, %i to take', (rsp_prod, req_prod_pvt, overflow, waiting) => {
    const memory = ringAt(start);
    memory.put32(MFN, SRING.rsp_prod, start + rsp_prod);
    const front = { req_prod_pvt: (start + req_prod_pvt) >>> 0, rsp_cons: start };
    expect(responsesOverflow(memory, MFN, front)).toBe(overflow);
    expect(unconsumedResponses(memory, MFN, front)).toBe(waiting);
    expect(getResponse(memory, MFN, numbers, front) !== undefined).toBe(waiting > 0);
    expect(finalCheckForResponses(memory, MFN, front)).toBe(waiting > 0);
    expect(memory.get32(MFN, SRING.rsp_event)).toBe((start + 1) >>> 0);
  });
});

/** Both ends over the same bytes, next to the two queues that they ought to be. */
class Pair {
  readonly memory: Memory;
  front: FrontRing;
  back: BackRing;
  /** Sent and not yet taken; taken and not yet answered; answered and not yet taken. */
  readonly asked: number[] = [];
  readonly held: number[] = [];
  readonly answered: number[] = [];
  shown = { requests: 0, responses: 0 };
  asleep = { front: false, back: false };
  private next = 1;
  constructor(index: number) {
    this.memory = ringAt(index);
    this.front = frontRing(index);
    this.back = backRing(index);
  }
  send(): void {
    const put = putRequest(this.memory, MFN, numbers, this.front, this.next);
    expect(put === undefined).toBe(this.asked.length + this.held.length + this.answered.length === numbers.nr_ents);
    if (!put) return;
    this.front = put;
    this.asked.push(this.next++);
  }
  showRequests(): void {
    const notify = pushRequests(this.memory, MFN, this.front);
    if (this.asleep.back && this.asked.length > this.shown.requests) expect(notify).toBe(true);
    if (notify) this.asleep.back = false;
    this.shown.requests = this.asked.length;
  }
  take(): void {
    const taken = getRequest(this.memory, MFN, numbers, this.back);
    expect(taken?.request).toBe(this.shown.requests > 0 ? this.asked[0] : undefined);
    if (!taken) return;
    this.back = taken.back;
    this.held.push(this.asked.shift()!);
    this.shown.requests--;
  }
  answer(): void {
    const put = putResponse(this.memory, MFN, numbers, this.back, this.held[0] ?? 0);
    expect(put === undefined).toBe(this.held.length === 0);
    if (!put) return;
    this.back = put;
    this.answered.push(this.held.shift()!);
  }
  showResponses(): void {
    const notify = pushResponses(this.memory, MFN, this.back);
    if (this.asleep.front && this.answered.length > this.shown.responses) expect(notify).toBe(true);
    if (notify) this.asleep.front = false;
    this.shown.responses = this.answered.length;
  }
  receive(): void {
    const taken = getResponse(this.memory, MFN, numbers, this.front);
    expect(taken?.response).toBe(this.shown.responses > 0 ? this.answered[0] : undefined);
    if (!taken) return;
    this.front = taken.front;
    this.answered.shift();
    this.shown.responses--;
  }
  sleepBack(): void {
    const more = finalCheckForRequests(this.memory, MFN, this.back, numbers);
    expect(more).toBe(this.shown.requests > 0);
    this.asleep.back = !more;
  }
  sleepFront(): void {
    const more = finalCheckForResponses(this.memory, MFN, this.front);
    expect(more).toBe(this.shown.responses > 0);
    this.asleep.front = !more;
  }
}

test('front and back never lose, repeat or reorder anything, and whoever sleeps is woken', () => {
  const action = fc.constantFrom('send', 'showRequests', 'take', 'answer', 'showResponses', 'receive', 'sleepBack', 'sleepFront');
  const start = fc.tuple(fc.constantFrom(0, 2 ** 31, 2 ** 32), fc.nat(12)).map(([edge, before]) => (edge - before) >>> 0);
  fc.assert(
    fc.property(start, fc.array(action, { maxLength: 200, size: 'max' }), (index, actions) => {
      const pair = new Pair(index);
      for (const name of actions) pair[name as 'send']();
    }),
  );
});

test('with any header whatsoever a backend and a frontend end, and take no more than a ring of messages', () => {
  const word = fc.oneof(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 0, max: 9 }));
  fc.assert(
    fc.property(fc.tuple(word, word, word, word), word, ([req_prod, req_event, rsp_prod, rsp_event], index) => {
      const memory = new Memory(new Journal());
      memory.put32(MFN, SRING.req_prod, req_prod);
      memory.put32(MFN, SRING.req_event, req_event);
      memory.put32(MFN, SRING.rsp_prod, rsp_prod);
      memory.put32(MFN, SRING.rsp_event, rsp_event);
      let requests = 0;
      let back = backRing(index);
      do {
        for (let taken = getRequest(memory, MFN, numbers, back); taken; taken = getRequest(memory, MFN, numbers, back)) {
          back = putResponse(memory, MFN, numbers, taken.back, taken.request)!;
          expect(++requests).toBeLessThanOrEqual(numbers.nr_ents);
        }
      } while (finalCheckForRequests(memory, MFN, back, numbers));
      let responses = 0;
      let front = { ...frontRing(index), req_prod_pvt: (index + 3) >>> 0 };
      do {
        for (let taken = getResponse(memory, MFN, numbers, front); taken; taken = getResponse(memory, MFN, numbers, front)) {
          front = taken.front as typeof front;
          expect(++responses).toBeLessThanOrEqual(3);
        }
      } while (finalCheckForResponses(memory, MFN, front));
    }),
  );
});
