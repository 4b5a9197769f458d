export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { type GuestRecord, Guests, type Work } from './state.ts';
export { writeGuest } from './write-guest.ts';
