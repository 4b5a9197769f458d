// How `decide` sees guest memory: live, noting down what it reads; or again, from what was noted down.
import type { GuestReader } from '../../events/step.ts';
import type { Mfn } from '../../events/units.ts';
import type { Frames } from './memory.ts';

const nothing: readonly number[] = [];

/** The bytes as they are. What was read since the last `take` is the `reads` of a step. */
export class RecordingReader implements GuestReader {
  private readonly frames: Frames;
  private reads: number[] = [];
  constructor(frames: Frames) {
    this.frames = frames;
  }
  get8(mfn: Mfn, offset: number): number {
    return this.note(this.frames.get8(mfn, offset));
  }
  get16(mfn: Mfn, offset: number): number {
    return this.note(this.frames.get16(mfn, offset));
  }
  get32(mfn: Mfn, offset: number): number {
    return this.note(this.frames.get32(mfn, offset));
  }
  take(): readonly number[] {
    if (this.reads.length === 0) return nothing;
    const { reads } = this;
    this.reads = [];
    return reads;
  }
  private note(value: number): number {
    this.reads.push(value);
    return value;
  }
}

/** What was read the first time, in order; 0 when the code asks for more. `exhausted` tells whether it asked for as much. */
export class PlaybackReader implements GuestReader {
  private readonly reads: readonly number[];
  private at = 0;
  constructor(reads: readonly number[]) {
    this.reads = reads;
  }
  get exhausted(): boolean {
    return this.at === this.reads.length;
  }
  get8(): number {
    return this.next();
  }
  get16(): number {
    return this.next();
  }
  get32(): number {
    return this.next();
  }
  private next(): number {
    return this.reads[this.at++] ?? 0;
  }
}
