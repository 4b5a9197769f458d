// The ring that split drivers share: requests one way, responses back, in the same slots (public/io/ring.h).
import { type Mfn, PAGE_SIZE } from '../../../events/units.ts';
import type { Frames } from '../../memory/memory.ts';

/** A free-running index: an uint32 that wraps. */
export type RingIdx = number;

/** A frontend's private half: the next request to fill, and the next response to take. */
export interface FrontRing {
  readonly req_prod_pvt: RingIdx;
  readonly rsp_cons: RingIdx;
}
/** A backend's private half: the next response to fill, and the next request to take. */
export interface BackRing {
  readonly rsp_prod_pvt: RingIdx;
  readonly req_cons: RingIdx;
}

/** `nr_ents` slots, a power of two, of `entry_size` bytes. */
export interface Slots {
  readonly nr_ents: number;
  readonly entry_size: number;
}
/** What a frontend puts in a slot, and what a backend finds there. `at` is the slot's byte offset; reading is total: guests fill these bytes. */
export interface Requests<Request, Received> extends Slots {
  writeRequest(frames: Frames, mfn: Mfn, at: number, request: Request): void;
  readRequest(frames: Frames, mfn: Mfn, at: number): Received;
}
/** What a backend answers in the same slot. */
export interface Responses<Response> extends Slots {
  writeResponse(frames: Frames, mfn: Mfn, at: number, response: Response): void;
  readResponse(frames: Frames, mfn: Mfn, at: number): Response;
}
export interface Protocol<Request, Received, Response> extends Requests<Request, Received>, Responses<Response> {}

/** SHARED_RING_INIT: an empty ring, by the frontend. Each side is to be notified of the very next message. */
export function initRing(frames: Frames, mfn: Mfn): void {
  frames.write(mfn, 0, new Uint8Array(SRING.ring));
  frames.put32(mfn, SRING.req_event, 1);
  frames.put32(mfn, SRING.rsp_event, 1);
}

/** FRONT_RING_ATTACH: the private indices of a frontend that begins, or goes on, at `index`. */
export const frontRing = (index: RingIdx = 0): FrontRing => ({ req_prod_pvt: index, rsp_cons: index });
/** BACK_RING_ATTACH. */
export const backRing = (index: RingIdx = 0): BackRing => ({ rsp_prod_pvt: index, req_cons: index });

/** Fills the next slot; the backend sees it after `pushRequests`. Undefined: every slot waits for its response. */
export function putRequest<Q>(
  frames: Frames,
  mfn: Mfn,
  protocol: Requests<Q, unknown>,
  front: FrontRing,
  request: Q,
): FrontRing | undefined {
  if (freeRequests(front, protocol) === 0) return undefined;
  protocol.writeRequest(frames, mfn, slotOf(front.req_prod_pvt, protocol), request);
  return { ...front, req_prod_pvt: after(front.req_prod_pvt) };
}

/** Takes the next request. Undefined: there is none, or the indices are nonsense (`requestsOverflow`). */
export function getRequest<R>(
  frames: Frames,
  mfn: Mfn,
  protocol: Requests<never, R>,
  back: BackRing,
): { readonly back: BackRing; readonly request: R } | undefined {
  if (unconsumedRequests(frames, mfn, back, protocol) === 0) return undefined;
  const request = protocol.readRequest(frames, mfn, slotOf(back.req_cons, protocol));
  return { back: { ...back, req_cons: after(back.req_cons) }, request };
}

/** Fills the slot of the oldest request without a response; the frontend sees it after `pushResponses`. Undefined: there is no such request. */
export function putResponse<S>(
  frames: Frames,
  mfn: Mfn,
  protocol: Responses<S>,
  back: BackRing,
  response: S,
): BackRing | undefined {
  if (back.rsp_prod_pvt === back.req_cons) return undefined;
  protocol.writeResponse(frames, mfn, slotOf(back.rsp_prod_pvt, protocol), response);
  return { ...back, rsp_prod_pvt: after(back.rsp_prod_pvt) };
}

/** Takes the next response. Undefined: there is none, or the indices are nonsense (`responsesOverflow`). */
export function getResponse<S>(
  frames: Frames,
  mfn: Mfn,
  protocol: Responses<S>,
  front: FrontRing,
): { readonly front: FrontRing; readonly response: S } | undefined {
  if (unconsumedResponses(frames, mfn, front) === 0) return undefined;
  const response = protocol.readResponse(frames, mfn, slotOf(front.rsp_cons, protocol));
  return { front: { ...front, rsp_cons: after(front.rsp_cons) }, response };
}

/** RING_PUSH_REQUESTS_AND_CHECK_NOTIFY: shows the requests to the backend; true where it wants a notification. */
export const pushRequests = (frames: Frames, mfn: Mfn, front: FrontRing): boolean =>
  push(frames, mfn, SRING.req_prod, SRING.req_event, front.req_prod_pvt);

/** RING_PUSH_RESPONSES_AND_CHECK_NOTIFY. */
export const pushResponses = (frames: Frames, mfn: Mfn, back: BackRing): boolean =>
  push(frames, mfn, SRING.rsp_prod, SRING.rsp_event, back.rsp_prod_pvt);

/**
 * RING_FINAL_CHECK_FOR_REQUESTS, before a backend goes to sleep: true where there is more to take; otherwise asks to be notified of the
 * next request. Xen's macro looks twice, for a frontend on another CPU; here nobody runs in between.
 */
export function finalCheckForRequests(frames: Frames, mfn: Mfn, back: BackRing, slots: Slots): boolean {
  if (unconsumedRequests(frames, mfn, back, slots) > 0) return true;
  frames.put32(mfn, SRING.req_event, after(back.req_cons));
  return false;
}

/** RING_FINAL_CHECK_FOR_RESPONSES, before a frontend goes to sleep. */
export function finalCheckForResponses(frames: Frames, mfn: Mfn, front: FrontRing): boolean {
  if (unconsumedResponses(frames, mfn, front) > 0) return true;
  frames.put32(mfn, SRING.rsp_event, after(front.rsp_cons));
  return false;
}

/** RING_FREE_REQUESTS: how many more requests fit. */
export const freeRequests = (front: FrontRing, slots: Slots): number =>
  Math.max(0, slots.nr_ents - distance(front.rsp_cons, front.req_prod_pvt));

/** How many requests wait to be taken; 0 where the frontend's index is nonsense. */
export const unconsumedRequests = (frames: Frames, mfn: Mfn, back: BackRing, slots: Slots): number =>
  requestsOverflow(frames, mfn, back, slots) ? 0 : distance(back.req_cons, frames.get32(mfn, SRING.req_prod));

/** How many responses wait to be taken; 0 where the backend's index is nonsense. */
export const unconsumedResponses = (frames: Frames, mfn: Mfn, front: FrontRing): number =>
  responsesOverflow(frames, mfn, front) ? 0 : distance(front.rsp_cons, frames.get32(mfn, SRING.rsp_prod));

/**
 * Whether the frontend is broken: it shows more requests than there are slots (RING_REQUEST_PROD_OVERFLOW), or took back some that it had
 * shown, which that macro lets pass.
 */
export const requestsOverflow = (frames: Frames, mfn: Mfn, back: BackRing, slots: Slots): boolean =>
  distance(back.req_cons, frames.get32(mfn, SRING.req_prod)) > slots.nr_ents - distance(back.rsp_prod_pvt, back.req_cons);

/** Whether the backend is broken: it shows more responses than there were requests; stricter than RING_RESPONSE_PROD_OVERFLOW. */
export const responsesOverflow = (frames: Frames, mfn: Mfn, front: FrontRing): boolean =>
  distance(front.rsp_cons, frames.get32(mfn, SRING.rsp_prod)) > distance(front.rsp_cons, front.req_prod_pvt);

/** Byte offsets in the shared frame; the slots begin at `ring`. */
export const SRING = { req_prod: 0, req_event: 4, rsp_prod: 8, rsp_event: 12, ring: 64 } as const;

/** __CONST_RING_SIZE for one page: as many entries as fit, rounded down to a power of two. */
export const ringSize = (entry_size: number): number => 1 << (31 - Math.clz32(Math.floor((PAGE_SIZE - SRING.ring) / entry_size)));

function push(frames: Frames, mfn: Mfn, prod: number, event: number, index: RingIdx): boolean {
  const old = frames.get32(mfn, prod);
  frames.put32(mfn, prod, index);
  return distance(frames.get32(mfn, event), index) < distance(old, index);
}

const slotOf = (index: RingIdx, { nr_ents, entry_size }: Slots): number => SRING.ring + (index & (nr_ents - 1)) * entry_size;

const after = (index: RingIdx): RingIdx => (index + 1) >>> 0;
const distance = (from: RingIdx, to: RingIdx): number => (to - from) >>> 0;
