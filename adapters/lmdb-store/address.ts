// How a run in a database is named: lmdb:DIRECTORY#RUN, and where it goes on lmdb:DIRECTORY#RUN#2, #3 ...
import { Failure } from '../failure.ts';

const SCHEME = 'lmdb:';
/** LMDB's keys are short. */
const LONGEST_NAME = 500;
const REFUSED = 2;

export interface LmdbAddress {
  readonly directory: string;
  /** Undefined where all runs of the database are meant. */
  readonly run: string | undefined;
  /** Which of its parts it is read from: 1, unless the address says another. */
  readonly part: number;
}

/**
 * Undefined for what is the path of a file.
 *
 * @throws Failure for an address that names no directory, or no part that there can be, or a run by a name that is too long
 */
export function lmdbAddress(text: string): LmdbAddress | undefined {
  if (!text.startsWith(SCHEME)) return undefined;
  const [directory = '', run, part = '1', ...rest] = text.slice(SCHEME.length).split('#');
  const wrong = (what: string): Failure => new Failure(what, text, 'write lmdb:DIRECTORY#RUN', REFUSED);
  if (directory === '') throw wrong('the address names no directory');
  if (!/^[1-9]\d{0,8}$/.test(part) || rest.length > 0) throw wrong('what follows the second # is the number of a part');
  if (run !== undefined && run.length > LONGEST_NAME) throw wrong('the name of the run is too long');
  return { directory, run: run === '' ? undefined : run, part: Number(part) };
}

/** An address that names a run. @throws Failure where it names none */
export function runAddress(text: string): (LmdbAddress & { readonly run: string }) | undefined {
  const address = lmdbAddress(text);
  if (!address) return undefined;
  const { run } = address;
  if (run === undefined) throw new Failure('the address names a database and no run', text, 'write lmdb:DIRECTORY#RUN', REFUSED);
  return { ...address, run };
}

export const isLmdbAddress = (text: string): boolean => text.startsWith(SCHEME);

/** The address of a run's first part. */
export const addressOf = (directory: string, run: string): string => `${SCHEME}${directory}#${run}`;
