export { decideCpupool } from './cpupool.ts';
export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { evolveCpupool } from './evolve-cpupool.ts';
export { follow } from './follow.ts';
