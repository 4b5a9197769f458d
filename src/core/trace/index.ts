export { decide, traced } from './decide.ts';
export { evolve } from './evolve.ts';
export { allocate, record } from './write-guest.ts';
