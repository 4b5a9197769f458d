export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { relinquish } from './relinquish.ts';
export { writeGuest } from './write-guest.ts';
