export { decide } from './decide.ts';
export { evolve } from './evolve.ts';
export { DOM0_PORT, Vifs, vifName } from './state.ts';
