export { type BeginCommand, decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { loadContext, saveContext } from './load-context.ts';
export { relinquish } from './relinquish.ts';
export { writeGuest } from './write-guest.ts';
