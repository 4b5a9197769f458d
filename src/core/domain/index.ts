export { decide, shutdownWith } from './decide.ts';
export { evolve } from './evolve.ts';
export { letGo } from './let-go.ts';
export { decideVersion } from './version.ts';
export { writeGuest } from './write-guest.ts';
