// One file of a run while it is written, with its sidecar: which calls are made, and in which order. Everything here may throw.
import { dirname } from 'node:path';
import type { Blob, Digest } from '../../events/block.ts';
import { joined } from '../../events/bytes.ts';
import { LogWriter, type RunEnd, type RunHeader } from '../../events/log.ts';
import type { Step } from '../../events/vocabulary.ts';
import { type FileLayer, syncDirectory, writeAll } from './file-layer.ts';
import { sha256 } from './sha256.ts';
import { RowWriter, sidecarOf } from './sidecar.ts';

/** `synced`: each time that rows are written. Then zeros are put behind them, for a file that has not grown is synced in half the time. */
export type SidecarUse = 'none' | 'written' | 'synced';

/** No more zeros at once. */
const MOST_AHEAD = 1 << 18;

export class PartWriter {
  readonly path: string;
  /** Bytes of the file, without the sidecar. */
  size = 0;
  /** Rows that were collected since they were last written; and whether there are bytes that were not synced. */
  collected = 0;
  unsynced = false;
  private readonly files: FileLayer;
  private readonly writer: LogWriter;
  private readonly log: number;
  private readonly sidecar: number | undefined;
  /** Where the next rows go in it; and its size, where zeros stand behind them. */
  private at = 0;
  private room = 0;
  private readonly padded: boolean;
  private readonly rows = new RowWriter();
  private readonly run: Uint8Array;
  /** What the log's writer has made and the file has not got yet. */
  private made: Uint8Array[] = [];
  private blobs: Blob[] = [];
  private digest: Digest | undefined;

  /** `start`: the checkpoint that it starts from, where it follows another file. */
  constructor(path: string, header: RunHeader, sidecar: SidecarUse, files: FileLayer, start?: Uint8Array) {
    this.path = path;
    this.files = files;
    this.padded = sidecar === 'synced';
    const opened: number[] = [];
    const open = (name: string, mode: 'create' | 'append'): number => {
      const fd = files.open(name, mode);
      opened.push(fd);
      return fd;
    };
    try {
      // That of an earlier run would be no use to this one.
      if (files.read(sidecarOf(path))) files.unlink(sidecarOf(path));
      this.log = open(path, 'create');
      this.writer = new LogWriter(header, (bytes) => this.made.push(bytes), sha256, start);
      this.run = sha256(this.made[0]!);
      this.flush();
      if (sidecar !== 'none') {
        this.sidecar = open(sidecarOf(path), 'create');
        files.sync(this.log, 'data');
        syncDirectory(files, dirname(path));
      }
    } catch (error) {
      for (const fd of opened) quietly(() => files.close(fd));
      throw error;
    }
    this.rows.begin({ run: this.run, ...this.writer.place });
  }

  /** Where the next block will stand. */
  get place(): LogWriter['place'] {
    return this.writer.place;
  }
  append(step: Step): void {
    if (this.sidecar !== undefined) {
      this.rows.add({ step, blobs: this.blobs, digest: this.digest });
      this.collected++;
      if (this.blobs.length > 0) this.blobs = [];
      this.digest = undefined;
    }
    this.writer.append(step);
  }
  addBlob(blob: Blob): void {
    if (this.sidecar !== undefined) this.blobs.push(blob);
    this.writer.addBlob(blob);
  }
  addDigest(digest: Digest): void {
    this.digest = digest;
    this.writer.addDigest(digest);
  }

  /** Whether a block waits to be written. */
  get full(): boolean {
    return this.made.length > 0;
  }
  /** A block goes into the log: its rows have done their duty, as soon as the disk has it. */
  seal(): void {
    this.flush();
    if (this.sidecar === undefined) return;
    this.files.sync(this.log, 'data');
    this.files.truncate(this.sidecar, 0);
    this.at = 0;
    this.room = 0;
    this.rows.begin({ run: this.run, ...this.writer.place });
    this.collected = 0;
    this.unsynced = false;
  }
  /** The rows so far go to the system. */
  writeRows(): void {
    if (this.sidecar === undefined || this.collected === 0) return;
    const rows = this.rows.view();
    const end = this.at + rows.length;
    let ahead = 0;
    if (this.padded && end > this.room) {
      ahead = Math.min(end, MOST_AHEAD);
      this.room = end + ahead;
    }
    writeAll(this.files, this.sidecar, ahead === 0 ? rows : joined([rows, new Uint8Array(ahead)]), this.at);
    this.at = end;
    this.rows.clear();
    this.collected = 0;
    this.unsynced = true;
  }
  /** What went to the system goes to the disk. */
  sync(): void {
    if (this.sidecar === undefined) return;
    this.files.sync(this.sidecar, 'data');
    this.unsynced = false;
  }
  /** The same, while the program goes on; false where the files can not. */
  syncLater(done: (error: unknown) => void): boolean {
    if (this.sidecar === undefined || !this.files.syncLater) return false;
    this.unsynced = false;
    this.files.syncLater(this.sidecar, done);
    return true;
  }
  /** Ends the file, or (without an end) only its last block. */
  finish(end: RunEnd | undefined): void {
    if (end) this.writer.end(end);
    else this.writer.cut();
    this.flush();
    if (this.sidecar !== undefined) this.files.sync(this.log, 'data');
  }
  /** Once it is finished: all of it is in the log. */
  removeSidecar(): void {
    if (this.sidecar !== undefined) this.files.unlink(sidecarOf(this.path));
  }
  /** Closing a file that was synced, or that has failed, tells nothing new. */
  close(): void {
    for (const fd of [this.log, this.sidecar]) if (fd !== undefined) quietly(() => this.files.close(fd));
  }

  private flush(): void {
    const bytes = joined(this.made);
    this.made = [];
    writeAll(this.files, this.log, bytes);
    this.size += bytes.length;
  }
}

function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // Nobody is helped by a second problem.
  }
}
