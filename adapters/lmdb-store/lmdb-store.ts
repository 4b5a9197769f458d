// Many runs in one place: a store over LMDB. A run there is byte for byte the files that it would be.
import type { Log, RunHeader } from '../../events/log.ts';
import { type Durability, FileStore } from '../file-store/file-store.ts';
import { type Recovery, readRun, recoverLog } from '../file-store/recover.ts';
import { isDatabase, noDatabase } from './database.ts';
import { LmdbFiles } from './lmdb-files.ts';

export interface LmdbStoreOptions {
  /** Of the database; made where it is not there. */
  readonly directory: string;
  /** The run's name in it: without #, and of at most 500 characters. */
  readonly run: string;
  readonly header: RunHeader;
  readonly durability: Durability;
}

/** One run in a database. A run of this name that was there is replaced. */
export class LmdbStore extends FileStore {
  private readonly database: LmdbFiles;

  /** @throws Failure where the database can not be opened or written, or somebody else writes this run */
  constructor({ directory, run, header, durability }: LmdbStoreOptions) {
    const files = new LmdbFiles(directory, run, durability);
    try {
      super({ path: files.path, header, durability, files });
    } catch (error) {
      files.release();
      throw error;
    }
    this.database = files;
  }
  /** Seals the run where it was not ended, and gives the database back. Nothing can be read of this store any more. */
  release(): void {
    this.seal();
    this.database.release();
  }
}

/**
 * Opens a run in a database; undefined where there is none of this name.
 *
 * @throws LogError where it is damaged
 */
export function readLmdb(directory: string, run: string): Log | undefined {
  if (!isDatabase(directory)) return undefined;
  const files = new LmdbFiles(directory, run);
  return readRun(files.path, files);
}

/** What `recoverLog` does, to a run in a database. */
export function repairLmdb(directory: string, run: string): Recovery {
  if (!isDatabase(directory)) throw noDatabase(directory);
  const files = new LmdbFiles(directory, run);
  try {
    return recoverLog(files.path, files);
  } finally {
    files.release();
  }
}
