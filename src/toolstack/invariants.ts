// What always holds for the toolstack's records.
import { DOMID_FIRST_RESERVED } from '../../events/units.ts';
import type { Toolstack } from './state.ts';

/** Yields a line for every violation, naming the objects at fault; silence means that it holds. */
export type Invariant = (host: { readonly toolstack: Toolstack }) => Iterable<string>;

export const invariants: Readonly<Record<string, Invariant>> = {
  *'toolstack.jobsAreBelowTheNext'({ toolstack: { host, jobs } }) {
    const { next_job } = host.get(0)!;
    for (const job of jobs.keys()) if (job < 1 || job >= next_job) yield `there is a job ${job}, the next is ${next_job}`;
    if (jobs.keys().length !== next_job - 1) yield `there are ${jobs.keys().length} jobs, the next is ${next_job}`;
  },

  *'toolstack.exitCodesAreBytes'({ toolstack: { jobs } }) {
    for (const [job, { rc }] of jobs.entries()) if (rc !== -1 && (rc & 0xff) !== rc) yield `job ${job} has exited with ${rc}`;
  },

  *'toolstack.configsHaveDomainIds'({ toolstack: { configs } }) {
    for (const domid of configs.keys())
      if (domid < 0 || domid >= DOMID_FIRST_RESERVED) yield `there is a configuration of d${domid}`;
  },

  *'toolstack.generatorHasItsState'({ toolstack: { host } }) {
    const { prng } = host.get(0)!;
    if (prng.length !== 4 || prng.some((word) => (word | 0) !== word)) yield `the generator's state is ${prng.join(' ')}`;
  },
};
