// An LMDB environment with runs in it: what is kept under which keys. `lmdb` is an optional dependency; without it this says so.
import { accessSync, closeSync, constants, existsSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import type { RootDatabase } from 'lmdb';
import { Failure, systemFailure } from '../failure.ts';

/**
 * Of each run, under its name: what would be its files, in pieces, each under its place in its file. `log` is the first file, `log#2`
 * the second; what stands beside one has its name and `-wal`, `-lock` or `-cache`.
 */
export type Key = [run: string, file: string, at: number];
export type Bytes = RootDatabase<Uint8Array, Key> & {
  /** fdatasync(2), by a thread that nobody waits for. (The package does it, and its types do not say so.) */
  sync(done: (error?: unknown) => void): void;
};

interface Opened {
  readonly bytes: Bytes;
  users: number;
}
/** A process opens an environment once. */
const environments = new Map<string, Opened>();

export interface Environment {
  readonly bytes: Bytes;
  close(): void;
}

/**
 * Opens a database, once in a process; makes it where it is not there.
 *
 * @throws Failure where the package is not installed, or the database can not be opened
 */
export function openEnvironment(directory: string): Environment {
  const place = resolve(directory);
  let opened = environments.get(place);
  if (!opened) {
    opened = { bytes: openBytes(directory), users: 0 };
    environments.set(place, opened);
  }
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
      environments.delete(place);
      void bytes.close();
    },
  };
}

function openBytes(directory: string): Bytes {
  const { open } = lmdb(directory);
  try {
    judgeDatabase(directory);
    // What a transaction waits for is said with each: see lmdb-files.ts.
    return open<Uint8Array, Key>({ path: directory, encoding: 'binary', noSubdir: false, overlappingSync: false }) as Bytes;
  } catch (error) {
    throw error instanceof Failure ? error : systemFailure('open the database', directory, error);
  }
}

// The beginning of a page that speaks of others, of which there are two; numbers as they lie in memory (MDB_meta of lmdb.h's library).
const META = { magic: 24, psize: 48, freeRoot: 88, mainRoot: 136, txnid: 152, size: 160 } as const;
const MAGIC = 0xbeefc0de;
const NO_PAGE = 2n ** 64n - 1n;

/**
 * Looks whether the files can be what the package will take them for: it ends the process where they can not be opened, are something
 * else, or are cut off before the roots of their trees.
 *
 * @throws Failure; what node:fs throws
 */
function judgeDatabase(directory: string): void {
  mkdirSync(directory, { recursive: true });
  accessSync(directory, constants.W_OK);
  const path = join(directory, DATA);
  if (!existsSync(path)) return;
  const fd = openSync(path, 'r+');
  try {
    const page = (at: number): DataView => {
      const bytes = new Uint8Array(META.size);
      const length = readSync(fd, bytes, 0, META.size, at);
      const view = new DataView(bytes.buffer);
      if (length < META.size || view.getUint32(META.magic, true) !== MAGIC) throw noLmdb(path);
      return view;
    };
    const first = page(0);
    const psize = first.getUint32(META.psize, true);
    const second = page(psize);
    const txnid = (view: DataView): bigint => view.getBigUint64(META.txnid, true);
    const newer = txnid(first) > txnid(second) ? first : second;
    const { size } = fstatSync(fd);
    for (const at of [META.freeRoot, META.mainRoot]) {
      const root = newer.getBigUint64(at, true);
      if (root !== NO_PAGE && (root + 1n) * BigInt(psize) > BigInt(size)) throw noLmdb(path);
    }
  } finally {
    closeSync(fd);
  }
}
const DATA = 'data.mdb';
const noLmdb = (path: string): Failure =>
  new Failure('it is no LMDB database, or a damaged one', path, 'take another copy of it', 2);

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
export const isDatabase = (directory: string): boolean => existsSync(join(directory, DATA));
export const noDatabase = (directory: string): Failure =>
  new Failure('there is no such database', `lmdb:${directory}`, 'write lmdb:DIRECTORY, or lmdb:DIRECTORY#RUN', 2);

/** The names of all runs, in order. */
export function runsIn(bytes: Bytes): string[] {
  const runs: string[] = [];
  for (let from: unknown[] = ['']; ; ) {
    const [first] = bytes.getKeys({ start: from as Key, limit: 1 });
    if (!first) return runs;
    runs.push(first[0]);
    from = [first[0], '\u{10ffff}'];
  }
}
