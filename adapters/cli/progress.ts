// A progress bar on a terminal: how far it is, steps and rate. Anywhere else it is silent.
import type { WriteStream } from 'node:tty';
import type { Ns } from '../../events/units.ts';

const EVERY_MS = 100;
const WIDTH = 24;

export class Progress {
  private readonly stream: WriteStream;
  /** Virtual time, or steps. */
  private readonly total: number;
  private readonly live: boolean;
  private readonly started = performance.now();
  private last = 0;
  private shown = false;

  constructor(stream: WriteStream, total: number, wanted: boolean) {
    this.stream = stream;
    this.total = total;
    this.live = wanted && stream.isTTY === true;
  }

  /** Whether it is time for another look: callers do their own slow things then, too. */
  due(): boolean {
    return performance.now() - this.last >= EVERY_MS;
  }
  /** Of a total that is counted in steps. */
  showSteps(what: string, steps: number): void {
    this.draw(steps, `${what}  ${steps} of ${this.total} steps`, steps);
  }
  show(now: Ns, steps: number): void {
    this.draw(now, `${(now / 1e9).toFixed(1)}s of ${this.total / 1e9}s  ${steps} steps`, steps);
  }
  private draw(now: number, text: string, steps: number): void {
    this.last = performance.now();
    if (!this.live) return;
    const seconds = (this.last - this.started) / 1000;
    const done = this.total === 0 ? 1 : Math.min(1, now / this.total);
    const filled = Math.round(done * WIDTH);
    const bar = '#'.repeat(filled) + '.'.repeat(WIDTH - filled);
    const rate = seconds > 0 ? Math.round(steps / seconds) : 0;
    this.stream.write(`\r\x1b[K[${bar}] ${text}  ${rate}/s`);
    this.shown = true;
  }
  /** Takes the bar away, so that something else can be printed in its place. */
  clear(): void {
    if (this.shown) this.stream.write('\r\x1b[K');
    this.shown = false;
  }
}
