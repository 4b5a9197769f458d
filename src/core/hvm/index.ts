export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { writeGuest } from './write-guest.ts';
