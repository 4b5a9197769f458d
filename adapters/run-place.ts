// Where a run is, from how people name it: the path of its first file, the directory of a live host, or an address in a database.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../events/log.ts';
import { Failure } from './failure.ts';
import { type FileLayer, isThere, nodeFiles } from './file-store/file-layer.ts';
import type { Durability } from './file-store/file-store.ts';
import { firstPath, lastGroup, partPath } from './file-store/parts.ts';
import { runAddress } from './lmdb-store/address.ts';
import { isDatabase, noDatabase } from './lmdb-store/database.ts';
import { LmdbFiles } from './lmdb-store/lmdb-files.ts';

/** What stores, readers and repairs take. */
export interface RunPlace {
  readonly path: string;
  readonly files: FileLayer;
}

/** The file that a live host begins in its directory. */
export const RUN = 'run.xlog';

/**
 * Where a run is that is there. `lmdb:DIRECTORY#RUN` is in a database; a directory is that of a live host; any other name is that of a file.
 *
 * @throws Failure for an address of no run, or in a directory without a database
 */
export function placeOf(name: string): RunPlace {
  const address = runAddress(name);
  if (!address) return { path: logAt(name), files: nodeFiles };
  if (!isDatabase(address.directory)) throw noDatabase(address.directory);
  const files = new LmdbFiles(address.directory, address.run);
  const { path } = files;
  if (address.part > 1) return { path: partPath(path, address.part), files };
  // As of a directory: the name is that of the run, whichever of its parts are still there.
  return { path: isThere(path, files) ? path : (lastGroup(path, files) ?? path), files };
}

/**
 * Where a run is to be written, or gone on with: a database that is not there is made.
 *
 * @throws Failure for an address of no run, or a database that can not be opened
 */
export function placeFor(name: string, durability: Durability): RunPlace {
  const address = runAddress(name);
  if (!address) return { path: name, files: nodeFiles };
  if (address.part > 1) throw new Failure('a part of a run is not written by itself', name, 'write lmdb:DIRECTORY#RUN', 2);
  const files = new LmdbFiles(address.directory, address.run, durability);
  return { path: files.path, files };
}

/** Where the first file of a run is, or would be, whichever of its files, or links to them, was named. */
export const firstFileOf = ({ path, files }: RunPlace, { header }: Log): string =>
  firstPath(files.real(path), header.part?.number ?? 1);

/** The first file that is there of the run that a live host keeps in a directory; any other name is that of a log itself. */
function logAt(path: string): string {
  if (!isDirectory(path)) return path;
  const first = join(path, RUN);
  return existsSync(first) ? first : (lastGroup(first, nodeFiles) ?? first);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Whoever opens it says what is wrong.
    return false;
  }
}
