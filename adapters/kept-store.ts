// What stores that keep a run outside of this process have in common: the first call that fails is the last one that is made, and every
// answer from then on tells of it.
import type { Blob, Digest } from '../events/block.ts';
import type { Log, RunEnd } from '../events/log.ts';
import type { Acknowledged, EventStore, StoreProblem } from '../events/store.ts';
import type { Step } from '../events/vocabulary.ts';
import { codeOf } from './file-store/file-layer.ts';

export abstract class KeptStore implements EventStore {
  protected appended = 0;
  protected acknowledged = 0;
  protected problem: StoreProblem | undefined;
  protected ended = false;

  abstract append(step: Step): void;
  abstract addBlob(blob: Blob): void;
  abstract addDigest(digest: Digest): void;
  abstract acknowledge(): Acknowledged;
  abstract read(): Log;
  /** Puts what there is where it belongs, with an end or without; called once. Then all steps are safe, or a problem was noted. */
  protected abstract finish(end: RunEnd | undefined): void;

  seal(): Acknowledged {
    return this.conclude(undefined);
  }
  close(end: RunEnd): Acknowledged {
    return this.conclude(end);
  }

  protected answer(): Acknowledged {
    const { problem, acknowledged: steps } = this;
    return problem ? { ok: false, steps, problem } : { ok: true, steps };
  }
  /** Does it unless something has failed before; what it fails with stays. */
  protected attempt(call: string, path: string, work: () => void): void {
    if (this.problem) return;
    try {
      work();
    } catch (error) {
      this.problem = { call, path, code: codeOf(error) };
    }
  }
  private conclude(end: RunEnd | undefined): Acknowledged {
    if (!this.ended) {
      this.ended = true;
      this.finish(end);
    }
    return this.answer();
  }
}
