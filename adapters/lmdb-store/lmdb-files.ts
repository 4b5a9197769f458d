// What a store asks of the operating system, asked of a database: every call that changes something is a transaction of its own.
import { basename } from 'node:path';
import { getSystemErrorName } from 'node:util';
import type { Source } from '../../events/source.ts';
import type { CacheFiles, FileLayer } from '../file-store/file-layer.ts';
import type { Durability } from '../file-store/file-store.ts';
import { addressOf } from './address.ts';
import { type Environment, type Key, openEnvironment } from './database.ts';
import { Pieces } from './pieces.ts';

/** How `lmdb` is told what a transaction waits for: flags of LMDB's own, and 3, which is a transaction as it is without them. */
const WAITING: Readonly<Record<Durability, number>> = {
  strict: 3,
  // The disk has what was written, and of the page that says so it has the one before: a loss of power undoes the last transaction.
  batch: 0x40003,
  // Nothing: a loss of power may leave a page that speaks of others which the disk never got.
  none: 0x10003,
};

const NO_FILE = 'ENOENT';
const IS_THERE = 'EEXIST';

/**
 * The files of one run in a database. A path is the address of the run's first part and what a file store puts behind it; a file store
 * over this layer is the same as over a disk, byte for byte. What was written stays in the order in which it was written, whatever is
 * lost with the power: so `sync` has nothing to do.
 */
export class LmdbFiles implements FileLayer {
  /** The address of the run's first part. */
  readonly path: string;
  readonly ordered = true;
  readonly cache: CacheFiles;
  private readonly environment: Environment;
  private readonly run: string;
  private readonly flags: number;
  private readonly opened = new Map<number, Pieces>();
  private descriptors = 0;

  /** @throws Failure where the database can not be opened */
  constructor(directory: string, run: string, durability: Durability = 'batch') {
    this.path = addressOf(directory, run);
    this.run = run;
    this.flags = WAITING[durability];
    this.environment = openEnvironment(directory);
    this.cache = {
      open: (path, mode) => {
        const found = this.asItIsNow().pieces(path);
        if (found.size === undefined) {
          if (mode === 'read') throw failed(NO_FILE);
          this.change(() => found.create());
        }
        return this.descriptor(found);
      },
      size: (fd) => this.opened.get(fd)!.size ?? 0,
      read: (fd, into, at) => {
        const found = this.opened.get(fd)!.read(at, into.length);
        into.set(found);
        return found.length;
      },
      write: (fd, bytes, at) => {
        const file = this.opened.get(fd)!;
        this.change(() => {
          if ((file.size ?? 0) > at) file.truncate(at);
          file.append(bytes);
        });
        return bytes.length;
      },
      truncate: (fd, size) => this.truncate(fd, size),
      close: (fd) => this.close(fd),
    };
  }
  /** Gives the database back. Nothing can be read or written here any more. */
  release(): void {
    this.environment.close();
  }

  open(path: string, mode: 'create' | 'append' | 'directory'): number {
    const file = this.pieces(path);
    if (mode === 'create' || (mode === 'append' && file.size === undefined)) this.change(() => file.create());
    return this.descriptor(file);
  }
  write(fd: number, bytes: Uint8Array, at?: number): number {
    const file = this.opened.get(fd)!;
    this.change(() => (at === undefined ? file.append(bytes) : file.write(at, bytes)));
    return bytes.length;
  }
  sync(): void {}
  syncLater(_: number, done: (error: unknown) => void): void {
    this.environment.bytes.sync((error) => done(error && named(error)));
  }
  truncate(fd: number, size: number): void {
    this.change(() => this.opened.get(fd)!.truncate(size));
  }
  close(fd: number): void {
    this.opened.delete(fd);
  }
  rename(from: string, to: string): void {
    const file = this.pieces(from);
    this.change(() => {
      if (file.size === undefined) throw failed(NO_FILE);
      file.copyTo(this.pieces(to));
      file.remove();
    });
  }
  link(existing: string, path: string): void {
    this.change(() => {
      if (this.pieces(path).size !== undefined) throw failed(IS_THERE);
      this.pieces(existing).copyTo(this.pieces(path));
    });
  }
  unlink(path: string): void {
    const file = this.pieces(path);
    this.change(() => {
      if (file.size === undefined) throw failed(NO_FILE);
      file.remove();
    });
  }
  special(): boolean {
    return false;
  }
  read(path: string): Uint8Array | undefined {
    const file = this.asItIsNow().pieces(path);
    const { size } = file;
    return size === undefined ? undefined : file.read(0, size);
  }
  source(path: string): Source | undefined {
    const file = this.asItIsNow().pieces(path);
    const { size } = file;
    return size === undefined ? undefined : { size, read: (at, length) => file.read(at, Math.min(length, size - at)) };
  }
  real(path: string): string {
    return path;
  }
  /** Those of this run alone, whichever directory is asked for: a run in a database has nothing else beside it. */
  names(): readonly string[] {
    const { bytes } = this.asItIsNow().environment;
    const found: string[] = [];
    for (let start: Key = [this.run, LOG, -1]; ; ) {
      const [key] = bytes.getKeys({ start, end: [this.run, '\u{10ffff}', 0], limit: 1 });
      if (!key) return found;
      found.push(basename(this.path + key[1].slice(LOG.length)));
      start = [this.run, key[1], Number.MAX_SAFE_INTEGER];
    }
  }

  directory(): readonly string[] {
    return this.names();
  }

  private descriptor(file: Pieces): number {
    this.opened.set(++this.descriptors, file);
    return this.descriptors;
  }
  private pieces(path: string): Pieces {
    return new Pieces(this.environment.bytes, this.run, LOG + path.slice(this.path.length));
  }
  /** A process sees its database as it was when it last looked, until its next turn of the event loop: now it looks again. */
  private asItIsNow(): this {
    this.environment.bytes.resetReadTxn();
    return this;
  }
  /** In one transaction, or not at all. */
  private change(work: () => void): void {
    try {
      this.environment.bytes.transactionSync(work, this.flags);
    } catch (error) {
      throw named(error);
    }
  }
}
/** What the first part of a run is called among its keys. */
const LOG = 'log';

const failed = (code: string): Error => Object.assign(new Error(code), { code });

/** An error whose `code` is a name, as node:fs has them; LMDB counts its own and the system's. */
function named(error: unknown): unknown {
  const { code, message } = error as { readonly code?: unknown; readonly message?: string };
  if (typeof code !== 'number') return error;
  const name = code > 0 ? getSystemErrorName(-code) : (names[code] ?? `MDB_${code}`);
  return Object.assign(new Error(message), { code: name });
}
const names: Readonly<Record<number, string>> = {
  [-30792]: 'MDB_MAP_FULL',
  [-30793]: 'MDB_INVALID',
  [-30795]: 'MDB_PANIC',
  [-30796]: 'MDB_CORRUPTED',
  [-30797]: 'MDB_PAGE_NOTFOUND',
};
