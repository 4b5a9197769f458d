import { beforeAll, describe, expect, test } from 'vitest';
import { play } from '../../adapters/play.ts';
import type { Digest } from '../../events/block.ts';
import { Log } from '../../events/log.ts';
import { SECOND } from '../../events/units.ts';
import type { GuestXenbus } from '../../machines/executor/guest-xenbus.ts';
import type { PrivatesSnapshot } from '../../machines/executor/private.ts';
import type { Checkpoint } from '../../machines/index.ts';
import { CheckpointCache, Cursor, follow, MemoryMedium, newestCheckpoint, reenact, resumeHost } from '../../replay/index.ts';
import { requestsUnderWay } from '../../replay/under-way.ts';
import { openLivecd, type Played, playLivecd, withDigests } from '../livecd.ts';

let played: Played;
/** Of quiet moments all over the run: in boot, while guests ping and write, at the end. */
const taken: { checkpoint: Checkpoint; digest: Digest }[] = [];
const medium = new MemoryMedium();
beforeAll(() => {
  played = playLivecd(60 * SECOND);
  const cache = new CheckpointCache(medium, played.log.run);
  let next = 0;
  reenact(played.log, {
    onQuiet: (dispatcher) => {
      if (dispatcher.seq < next) return;
      next = dispatcher.seq + 211;
      const checkpoint = dispatcher.checkpoint();
      const digest = dispatcher.digest();
      taken.push({ checkpoint, digest });
      cache.write(checkpoint, digest);
    },
  });
  played = {
    ...played,
    log: withDigests(
      played.log,
      taken.map(({ digest }) => digest),
    ),
  };
});

describe('checkpoints', () => {
  test('of any quiet moment are listed, and give the host back as it was', () => {
    const cache = new CheckpointCache(medium, played.log.run);
    expect(cache.problem).toBeUndefined();
    expect(cache.list().map(({ seq, digest }) => ({ seq, digest }))).toEqual(
      taken.map(({ digest }) => ({ seq: digest.seq, digest })),
    );
    for (const { digest } of taken) {
      const { checkpoint, rejected } = newestCheckpoint(played.log, cache, digest.seq);
      expect(rejected).toEqual([]);
      expect(checkpoint?.seq).toBe(digest.seq);
    }
  });
  test('lead to the end of the run, step by step', () => {
    for (const { digest } of taken) {
      const cache = new CheckpointCache(medium, played.log.run);
      const { checkpoint } = newestCheckpoint(played.log, cache, digest.seq);
      const { divergence, dispatcher } = reenact(played.log, { from: checkpoint! });
      expect(divergence).toBeNull();
      expect(dispatcher.seq).toBe(played.end.steps);
    }
  });
  test('share what has not changed', () => {
    const alone = new MemoryMedium();
    for (const { checkpoint, digest } of taken) {
      const one = new MemoryMedium();
      new CheckpointCache(one, played.log.run).write(checkpoint, digest);
      alone.write(alone.size, one.read(0, one.size));
    }
    expect(medium.size).toBeLessThan(alone.size * 0.75);
  });
  test('none, or thrown away: the same host, from the beginning', () => {
    const { dispatcher, divergence, from } = resumeHost(played.log, undefined);
    expect({ divergence, from }).toEqual({ divergence: null, from: 0 });
    const cached = resumeHost(played.log, new CheckpointCache(medium, played.log.run));
    expect(cached.from).toBeGreaterThan(played.end.steps - 500);
    expect(cached.dispatcher.digest()).toEqual(dispatcher.digest());
  });
});

test('a state in the cache is used with its own log, and not with another that has the same header', () => {
  const { log } = played;
  const [early, late] = [500, 3000];
  const marked = new Cursor(log).stateAt(early);
  const cache = new CheckpointCache(new MemoryMedium(), log.run);
  // Not what the log leads to there, so that it shows whether it is used.
  cache.writeState(late, marked.snapshot(), marked.digest(), log.chainWith(late - 1)!);
  expect(new Cursor(log, { cache }).stateAt(late).digest()).toBe(marked.digest());
  const other = withDigests(log, []);
  expect(other.run).toBe(log.run);
  expect(new Cursor(other, { cache }).stateAt(late).digest()).toBe(new Cursor(log).stateAt(late).digest());
});

describe('a checkpoint at which a guest has a request on its way to xenstored', () => {
  // Its slice may end between the request and its way onto the ring: here it does.
  const { recording, parts, run } = openLivecd({});
  const { dispatcher } = recording;
  for (const _ of play(dispatcher, run, 20 * SECOND));
  const request = { type: 'xenstore.read', conn: 3, tx: 0, path: 'name' } as const;
  const { xenbus } = (dispatcher as unknown as { guests: { xenbus: GuestXenbus } }).guests;
  xenbus.send(3, request, 'd3.kernel', dispatcher.lastSeq);
  const checkpoint = dispatcher.checkpoint();
  dispatcher.input({ type: 'console.input', dom: 3, text: '\n' }, 'operator'); // wakes it
  dispatcher.run(25 * SECOND);
  recording.finish();
  const log = new Log(new Uint8Array(Buffer.concat(parts)));
  const taken = [...log.steps(checkpoint.seq)].find(({ origin }) => origin === 'd3.kernel');

  test('has the request, and whose it is', () => {
    expect(requestsUnderWay(log, checkpoint)).toEqual([{ issuer: 'd3.kernel', command: request }]);
    expect(taken?.command).toEqual(request);
  });
  test('is followed from, and what is asked otherwise is noticed', () => {
    expect(follow(log, { from: checkpoint }).divergence).toBeNull();
    const guests = checkpoint.guests as PrivatesSnapshot;
    const other = new Map(guests.guests);
    const kept = other.get(3)!;
    other.set(3, { ...kept, storeTx: kept.storeTx.replace('name', 'uuid') });
    const { divergence } = follow(log, { from: { ...checkpoint, guests: { ...guests, guests: other } } });
    expect(divergence).toMatchObject({
      seq: taken!.seq,
      what: 'the actor d3.kernel asks otherwise',
      got: { ...request, path: 'uuid' },
    });
  });
});
