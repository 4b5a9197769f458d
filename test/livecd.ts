// The Live CD's host, for tests: recorded, or booted and left to the caller.

import { loadScenario } from '../adapters/load-scenario.ts';
import { play } from '../adapters/play.ts';
import type { Digest } from '../events/block.ts';
import { joined } from '../events/bytes.ts';
import { Log, LogWriter, type RunEnd } from '../events/log.ts';
import { SECOND } from '../events/units.ts';
import { type DispatcherOptions, Recording } from '../machines/index.ts';

export const SCENARIO = new URL('../examples/livecd/livecd.yaml', import.meta.url).pathname;

export interface Played {
  readonly recording: Recording;
  readonly file: Uint8Array;
  readonly log: Log;
  readonly end: RunEnd;
}

/** Plays the scenario until a moment (the whole of it by default) and closes the log. */
export function playLivecd(
  until_ns = 60 * SECOND,
  options: Partial<Pick<DispatcherOptions, 'machines' | 'deciding'>> = {},
): Played {
  const { recording, parts, run } = openLivecd(options);
  for (const _ of play(recording.dispatcher, run, until_ns));
  const end = recording.finish();
  const file = new Uint8Array(Buffer.concat(parts));
  return { recording, file, log: new Log(file), end };
}

/** The host at a moment of the scenario, alive. */
export function livecdAt(until_ns: number): Recording {
  const { recording, run } = openLivecd({});
  for (const _ of play(recording.dispatcher, run, until_ns));
  return recording;
}

/** The host before its boot, and what its log will be. */
export function openLivecd(options: Partial<Pick<DispatcherOptions, 'machines' | 'deciding'>>) {
  const { header, images, run } = loadScenario(SCENARIO);
  const parts: Uint8Array[] = [];
  const recording = new Recording({ header, images, sink: (bytes) => parts.push(bytes.slice()), ...options });
  return { recording, parts, run };
}

/** The same log with the host's digests at these moments, as a recording has them every 16,384 steps. */
export function withDigests(log: Log, digests: Iterable<Digest>): Log {
  const at = new Map(Array.from(digests, (digest) => [digest.seq, digest]));
  const parts: Uint8Array[] = [];
  const writer = new LogWriter(log.header, (bytes) => parts.push(bytes.slice()));
  for (const { steps, blobs } of log.contents()) {
    for (const blob of blobs) writer.addBlob(blob);
    for (const step of steps) {
      const digest = at.get(step.seq);
      if (digest) writer.addDigest(digest);
      writer.append(step);
    }
  }
  writer.end(log.end!);
  return new Log(joined(parts));
}
