// The toolstack's records: jobs, the configurations that domains were made from, and the host's random numbers.
import { type PrngState, seedPrng } from '../prng.ts';
import type { Journal } from '../tables/journal.ts';
import { Records } from '../tables/records.ts';

export interface Job {
  readonly argv: readonly string[];
  /** The exit code; -1 while it runs. */
  readonly rc: number;
}
/** Record 0 is the host's own. */
export interface HostRecord {
  readonly prng: PrngState;
  readonly booted: boolean;
  readonly ended: boolean;
  readonly next_job: number;
}

export class Toolstack {
  readonly host: Records<HostRecord>;
  readonly jobs: Records<Job>;
  /** By domain: libxl's JSON of what it was created from, as userdata keeps it. */
  readonly configs: Records<{ readonly json: string }>;
  constructor(journal: Journal, seed: number) {
    this.host = new Records('host', journal);
    this.jobs = new Records('job', journal);
    this.configs = new Records('config', journal);
    this.host.set(0, { prng: seedPrng(seed), booted: false, ended: false, next_job: 1 });
  }
}

/** Whether a job has been started and has not exited yet. */
export const isRunning = ({ jobs }: Toolstack, job: number): boolean => jobs.get(job)?.rc === -1;
