export { type DiskSizes, decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { Vbds } from './state.ts';
