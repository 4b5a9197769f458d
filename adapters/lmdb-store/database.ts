// An LMDB environment with runs in it: what is kept under which keys. `lmdb` is an optional dependency; without it this says so.
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { Failure, systemFailure } from '../failure.ts';
import type { Durability } from '../file-store/file-store.ts';

/**
 * Of each run, under its name: the log's bytes, cut at the ends of headers and payloads, by their place; the steps since the last block,
 * by their number, as a sidecar has them.
 */
export type Key = readonly [run: string, what: 'log' | 'row', number: number];
export type Bytes = RootDatabase<Uint8Array, (string | number)[]>;

/** How an address of a run in a database begins: `lmdb:DIRECTORY#RUN`. */
const SCHEME = 'lmdb:';

export interface LmdbAddress {
  readonly directory: string;
  /** Undefined where all runs of the database are meant. */
  readonly run: string | undefined;
}

/** Undefined for what is the path of a file. */
export function lmdbAddress(text: string): LmdbAddress | undefined {
  if (!text.startsWith(SCHEME)) return undefined;
  const [directory = '', ...run] = text.slice(SCHEME.length).split('#');
  return { directory, run: run.length > 0 ? run.join('#') : undefined };
}

interface Opened {
  readonly bytes: Bytes;
  readonly durability: Durability;
  users: number;
}
/** A process opens an environment once. */
const environments = new Map<string, Opened>();

export interface Environment {
  readonly bytes: Bytes;
  close(): void;
}

/**
 * Opens a database, once in a process. `durability` is asked for by who writes a run; others take it as it is open, or in mode `batch`.
 *
 * @throws Failure where the package is not installed, or the database can not be opened, or it is open in another mode
 */
export function openEnvironment(directory: string, durability?: Durability): Environment {
  let opened = environments.get(directory);
  if (!opened) {
    opened = { bytes: openBytes(directory, durability ?? 'batch'), durability: durability ?? 'batch', users: 0 };
    environments.set(directory, opened);
  } else if (durability !== undefined && durability !== opened.durability)
    throw new Failure(
      `this program has the database open in mode ${opened.durability}`,
      directory,
      'write all runs of a database in one mode',
    );
  // What other processes have written since is to be seen.
  opened.bytes.resetReadTxn();
  opened.users++;
  const { bytes } = opened;
  let open = true;
  return {
    bytes,
    close() {
      if (!open) return;
      open = false;
      opened.users--;
      if (opened.users > 0) return;
      environments.delete(directory);
      void bytes.close();
    },
  };
}

function openBytes(directory: string, durability: Durability): Bytes {
  const { open } = lmdb(directory);
  try {
    return open<Uint8Array, (string | number)[]>({
      path: directory,
      encoding: 'binary',
      noSubdir: false,
      // `strict`: a transaction has ended when the disk has it. `batch`: when the system has it; the disk follows.
      overlappingSync: durability === 'batch',
      noSync: durability === 'none',
    });
  } catch (error) {
    throw systemFailure('open the database', directory, error);
  }
}

function lmdb(directory: string): typeof import('lmdb') {
  try {
    return createRequire(import.meta.url)('lmdb') as typeof import('lmdb');
  } catch (error) {
    throw new Failure(
      `runs in a database need the package lmdb (${String((error as { code?: unknown }).code)})`,
      directory,
      'npm install lmdb, or keep runs in files',
    );
  }
}

/** Whether there is one: to look is not to make it. */
export const isDatabase = (directory: string): boolean => existsSync(join(directory, 'data.mdb'));
export const noDatabase = (directory: string): Failure =>
  new Failure('there is no such database', `lmdb:${directory}`, 'write lmdb:DIRECTORY, or lmdb:DIRECTORY#RUN', 2);

/** The names of all runs, in order. */
export function runsIn(bytes: Bytes): string[] {
  const runs: string[] = [];
  for (let from: (string | number)[] = ['']; ; ) {
    const [first] = bytes.getKeys({ start: from, limit: 1 });
    if (!first) return runs;
    const name = String(first[0]);
    runs.push(name);
    from = [name, '\u{10ffff}'];
  }
}
