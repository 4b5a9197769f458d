import { Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Output } from './output.ts';

/** Takes what it is given after a while; what waits in memory meanwhile is counted. */
class Slow extends Writable {
  most = 0;
  taken = 0;
  constructor() {
    super({ highWaterMark: 1 << 14 });
  }
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.most = Math.max(this.most, this.writableLength);
    void setTimeout(2).then(() => {
      this.taken += chunk.length;
      done();
    });
  }
}
function* lines(count: number): Generator<string> {
  for (let n = 0; n < count; n++) yield 'x'.repeat(99);
}

test('a reader that is slow is waited for: what it has not taken does not gather in memory', async () => {
  const slow = new Slow();
  await new Output(slow).lines(lines(30_000));
  await new Promise((resolve) => slow.end(resolve));
  expect(slow.taken).toBe(3_000_000);
  expect(slow.most).toBeLessThan(200_000);
});

test('a reader that goes away ends it', async () => {
  const slow = new Slow();
  let given = 0;
  function* counted(): Generator<string> {
    for (const line of lines(1_000_000)) {
      given++;
      yield line;
    }
  }
  const output = new Output(slow);
  const done = output.lines(counted());
  slow.destroy(Object.assign(new Error('EPIPE'), { code: 'EPIPE' }));
  await done;
  expect(output.closed).toBe(true);
  expect(given).toBeLessThan(10_000);
});
