// For those who fuzz a hypervisor or what runs on one. fast-check is a peer of this entry alone.
export { violations } from '../../src/core/invariants.ts';
export { hostInvariants, hostViolations } from '../../src/invariants.ts';
export * from './arbitraries/act.ts';
export * from './arbitraries/control.ts';
export * from './arbitraries/core.ts';
export * from './arbitraries/cpupool.ts';
export * from './arbitraries/domain.ts';
export * from './arbitraries/evtchn.ts';
export * from './arbitraries/gnttab.ts';
export * from './arbitraries/host.ts';
export * from './arbitraries/memory.ts';
export * from './arbitraries/sched.ts';
export * from './arbitraries/timer.ts';
export * from './arbitraries/vocabulary.ts';
export * from './booted-host.ts';
export * from './core-host.ts';
export * from './spin.ts';
