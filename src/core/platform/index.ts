export { decide, hotplugOf } from './decide.ts';
export { evolve } from './evolve.ts';
