// What a host of many domains costs: a hypercall among them, and the memory of one that does nothing.
import { CoreBench } from './core.ts';
import { seconds } from './harness.ts';
import { makeMix } from './mix.ts';

/** Seconds that one call of the mix takes among so many domains. */
export function perCall(domains: number, calls: number): number {
  const bench = new CoreBench(undefined, domains);
  const mix = makeMix(calls, domains);
  return seconds(() => bench.run(mix)) / calls;
}

/** Bytes that a domain with a vCPU and no channel takes in the core's tables, no frame of guest memory among it. */
export function perIdleDomain(domains: number): number {
  const before = inUse();
  const bench = new CoreBench(undefined, domains, 0);
  const after = inUse();
  if (bench.xen.exists(domains) === false) throw new Error('the domains of the benchmark are not there');
  return (after - before) / domains;
}

function inUse(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
