export { decide, isLastUp } from './decide.ts';
export { evolve } from './evolve.ts';
