export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
