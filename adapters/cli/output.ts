// Standard output of the program: whole lines, as fast as the reader takes them, and no complaint when it goes away (`| head`).
// Whatever else it fails with (a full disk) is somebody's to tell.

import type { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';

/** Characters that are collected before they are written. */
const CHUNK = 1 << 16;

export class Output {
  /** Whether nobody reads any more: what is written now goes nowhere. */
  closed = false;
  private readonly stream: Writable;
  private waiting = '';

  /** `onFailure` is told once, of whatever is not a reader that went away. */
  constructor(stream: Writable, onFailure: (error: NodeJS.ErrnoException) => void = () => {}) {
    this.stream = stream;
    stream.on('error', (error: NodeJS.ErrnoException) => {
      const first = !this.closed;
      this.closed = true;
      if (first && error.code !== 'EPIPE') onFailure(error);
    });
  }

  /** Text as it is, at once: what an operator looks at. */
  text(text: string): void {
    this.flush();
    if (!this.closed && text !== '') this.stream.write(text);
  }
  line(text = ''): void {
    this.waiting += `${text}\n`;
    if (this.waiting.length >= CHUNK) this.flush();
  }
  json(value: unknown): void {
    this.line(JSON.stringify(value, jsonValue));
  }
  /** Many lines: stops when nobody reads them. */
  async lines(lines: Iterable<string>): Promise<void> {
    for (const line of lines) {
      this.waiting += `${line}\n`;
      if (this.waiting.length < CHUNK) continue;
      // A reader that is slower than we are is waited for: a log may be larger than memory.
      if (!this.flush()) await this.drained();
      await setImmediate();
      if (this.closed) return;
    }
    this.flush();
  }
  /** False where it may grow in memory if more is written now. */
  flush(): boolean {
    const { waiting } = this;
    this.waiting = '';
    return this.closed || waiting === '' || this.stream.write(waiting);
  }
  /** Until what was written has been taken, or nobody reads any more. */
  private drained(): Promise<void> {
    const { stream } = this;
    return new Promise((resolve) => {
      const done = (): void => {
        for (const event of ['drain', 'error', 'close']) stream.off(event, done);
        resolve();
      };
      for (const event of ['drain', 'error', 'close']) stream.on(event, done);
      if (stream.closed || stream.destroyed || !stream.writableNeedDrain) done();
    });
  }
}

/** For JSON: bytes as base64, 64-bit values as text. Byte strings stay as they are, one char a byte. */
export const jsonValue = (_: string, value: unknown): unknown => {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  return typeof value === 'bigint' ? String(value) : value;
};
