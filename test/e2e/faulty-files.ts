// A file system in memory that fails where a test wants it to, and that can lose its power.
import { basename, dirname } from 'node:path';
import type { FileLayer } from '../../adapters/file-store/file-layer.ts';
import { bytesSource, type Source } from '../../events/source.ts';

interface MemoryFile {
  bytes: Uint8Array;
  /** What a loss of power leaves. */
  synced: Uint8Array;
}

/** What to do at a call, counted from 0: fail with this code; of a write, take half of the bytes first. */
export interface Fault {
  readonly at: number;
  readonly code: string;
  /** Whether every later call fails too, as on a disk that is full or gone. */
  readonly forever: boolean;
}

/** Every call but `read` and `close` is counted. Names are safe at once; content when it is synced. */
export class FaultyFiles implements FileLayer {
  readonly disk = new Map<string, MemoryFile>();
  /** The calls that were made, by name. */
  readonly calls: string[] = [];
  fault: Fault | undefined;
  /** At most so many bytes go into one write. */
  mostBytes = Number.POSITIVE_INFINITY;
  private readonly open_: (MemoryFile | undefined)[] = [];

  open(path: string, mode: 'create' | 'append' | 'directory'): number {
    this.called(`open ${mode}`);
    if (mode === 'directory') return this.open_.push(undefined) - 1;
    let file = this.disk.get(path);
    if (!file) {
      file = { bytes: new Uint8Array(0), synced: new Uint8Array(0) };
      this.disk.set(path, file);
    } else if (mode === 'create') file.bytes = new Uint8Array(0);
    return this.open_.push(file) - 1;
  }
  write(fd: number, bytes: Uint8Array, at?: number): number {
    const file = this.open_[fd]!;
    const fails = this.failing();
    const taken = Math.min(fails ? bytes.length >> 1 : bytes.length, this.mostBytes);
    const from = at ?? file.bytes.length;
    const after = new Uint8Array(Math.max(file.bytes.length, from + taken));
    after.set(file.bytes);
    after.set(bytes.subarray(0, taken), from);
    file.bytes = after;
    this.called('write');
    return taken;
  }
  sync(fd: number, what: 'data' | 'directory'): void {
    this.called(`sync ${what}`);
    const file = this.open_[fd];
    if (file) file.synced = file.bytes;
  }
  truncate(fd: number, size: number): void {
    this.called('truncate');
    const file = this.open_[fd]!;
    file.bytes = file.bytes.slice(0, size);
  }
  close(): void {}
  rename(from: string, to: string): void {
    this.called('rename');
    this.disk.set(to, this.disk.get(from)!);
    this.disk.delete(from);
  }
  link(existing: string, path: string): void {
    this.called('link');
    if (this.disk.has(path)) throw Object.assign(new Error('EEXIST'), { code: 'EEXIST' });
    this.disk.set(path, this.disk.get(existing)!);
  }
  unlink(path: string): void {
    this.called('unlink');
    if (!this.disk.delete(path)) throw Object.assign(new Error('ENOENT'), { code: 'ENOENT' });
  }
  real(path: string): string {
    return path;
  }
  special(): boolean {
    return false;
  }
  read(path: string): Uint8Array | undefined {
    return this.disk.get(path)?.bytes;
  }
  source(path: string): Source | undefined {
    const file = this.disk.get(path);
    return file && bytesSource(file.bytes);
  }

  directory(path: string): readonly string[] {
    return this.names(path);
  }
  names(path: string): readonly string[] {
    return [...this.disk.keys()].filter((name) => dirname(name) === path).map((name) => basename(name));
  }

  /** The machine again, after its power was off: what was not synced is gone, the locks' owners too, and nothing fails any more. */
  restarted(losing: 'memory' | 'nothing'): FaultyFiles {
    const after = new FaultyFiles();
    for (const [path, { bytes, synced }] of this.disk) {
      const kept = losing === 'memory' ? synced : bytes;
      if (!path.includes('-lock')) after.disk.set(path, { bytes: kept, synced: kept });
    }
    return after;
  }

  private failing(): boolean {
    const { fault, calls } = this;
    return fault !== undefined && (fault.forever ? calls.length >= fault.at : calls.length === fault.at);
  }
  private called(name: string): void {
    const fails = this.failing();
    this.calls.push(name);
    if (fails) throw Object.assign(new Error(this.fault!.code), { code: this.fault!.code });
  }
}

/** Another layer whose calls fail where a test wants it to: before they do anything. */
export class FailingFiles implements FileLayer {
  /** The calls that were made, by name. */
  readonly calls: string[] = [];
  readonly ordered: FileLayer['ordered'];
  private readonly below: FileLayer;
  private readonly fault: Fault | undefined;
  constructor(below: FileLayer, fault?: Fault) {
    this.below = below;
    this.ordered = below.ordered;
    this.fault = fault;
  }
  open(path: string, mode: 'create' | 'append' | 'directory'): number {
    return this.counted('open', () => this.below.open(path, mode));
  }
  write(fd: number, bytes: Uint8Array, at?: number): number {
    return this.counted('write', () => this.below.write(fd, bytes, at));
  }
  sync(fd: number, what: 'data' | 'directory'): void {
    this.counted('sync', () => this.below.sync(fd, what));
  }
  truncate(fd: number, size: number): void {
    this.counted('truncate', () => this.below.truncate(fd, size));
  }
  close(fd: number): void {
    this.below.close(fd);
  }
  rename(from: string, to: string): void {
    this.counted('rename', () => this.below.rename(from, to));
  }
  link(existing: string, path: string): void {
    this.counted('link', () => this.below.link(existing, path));
  }
  unlink(path: string): void {
    this.counted('unlink', () => this.below.unlink(path));
  }
  special(path: string): boolean {
    return this.below.special(path);
  }
  read(path: string): Uint8Array | undefined {
    return this.below.read(path);
  }
  source(path: string): Source | undefined {
    return this.below.source(path);
  }
  real(path: string): string {
    return this.below.real(path);
  }
  directory(path: string): readonly string[] {
    return this.below.directory(path);
  }
  names(path: string): readonly string[] {
    return this.below.names(path);
  }
  private counted<T>(name: string, call: () => T): T {
    const { fault, calls } = this;
    const fails = fault !== undefined && (fault.forever ? calls.length >= fault.at : calls.length === fault.at);
    calls.push(name);
    if (fails) throw Object.assign(new Error(fault.code), { code: fault.code });
    return call();
  }
}
