// The log as a store: what durability costs beside the bare calls, what reading a large log takes, what a checkpoint and a seek take.
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FileLayer, nodeFiles } from '../adapters/file-store/file-layer.ts';
import { FileStore } from '../adapters/file-store/file-store.ts';
import { readRun, recoverLog } from '../adapters/file-store/recover.ts';
import { sha256 } from '../adapters/file-store/sha256.ts';
import { RowWriter, sidecarOf } from '../adapters/file-store/sidecar.ts';
import { loadScenario } from '../adapters/load-scenario.ts';
import { play } from '../adapters/play.ts';
import { END, STEPS, sealBlock } from '../events/block.ts';
import { BlockEncoder } from '../events/block-encoder.ts';
import { encodeHeader } from '../events/header.ts';
import { Log, STEPS_PER_BLOCK } from '../events/log.ts';
import { bytesSource, type Source } from '../events/source.ts';
import type { Step } from '../events/vocabulary.ts';
import { Dispatcher, Recording } from '../machines/index.ts';
import { CheckpointCache, Cursor, fold, MemoryMedium } from '../replay/index.ts';
import { atLeast, atMost, cpuSeconds, figure, interleaved, median, type Row, seconds, short } from './harness.ts';
import { LiveBench, header as liveHeader } from './live.ts';
import { DOMAINS, makeMix } from './mix.ts';
import { sqliteRuns } from './sqlite.ts';

/** Steps that a host acknowledges at once: what one request to XenStore leads to, on the average of a boot. */
const BATCH = 8;

export function logBench(scale: number): Row[] {
  const directory = mkdtempSync(join(tmpdir(), 'xenolog-bench-'));
  try {
    const file = mixLog(Math.round(300_000 * scale));
    const log = new Log([bytesSource(file)], sha256);
    const steps = [...log.steps()];
    return [
      ...durable(directory, steps.slice(0, Math.round(4000 * scale))),
      size(file, steps),
      ...recording(Math.round(150_000 * scale)),
      ...large(directory, log, steps, 2 ** 30 * scale),
      ...idleDomains(),
      ...seeks(Math.round(1_000_000 * scale)),
    ];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** One live run on the mix, as bytes. */
export function mixLog(calls: number): Uint8Array {
  const parts: Uint8Array[] = [];
  const live = new LiveBench((bytes) => parts.push(bytes.slice()));
  live.run(makeMix(calls));
  live.recording.finish();
  return new Uint8Array(Buffer.concat(parts));
}

/** Appending in batches, each on the disk before the next; beside the bare calls with the same bytes. */
function durable(directory: string, steps: readonly Step[]): Row[] {
  const beside = sqliteRuns();
  const batches: Uint8Array[] = [];
  for (let at = 0; at < steps.length; at += BATCH) {
    const rows = new RowWriter();
    for (const step of steps.slice(at, at + BATCH)) rows.add({ step, blobs: [] });
    batches.push(rows.view().slice());
  }
  const store = (durability: 'strict' | 'batch'): number => {
    const path = join(directory, `${durability}.xlog`);
    const kept = new FileStore({ path, header: liveHeader, durability });
    const time = seconds(() => {
      for (let at = 0; at < steps.length; at += BATCH) {
        for (const step of steps.slice(at, at + BATCH)) kept.append(step);
        kept.acknowledge();
      }
    });
    kept.seal();
    return steps.length / time;
  };
  const bare = (sync: boolean): number => {
    const fd = openSync(join(directory, 'bare'), 'w');
    const time = seconds(() => {
      for (const batch of batches) {
        writeSync(fd, batch);
        if (sync) fdatasyncSync(fd);
      }
    });
    closeSync(fd);
    return steps.length / time;
  };
  let databases = 0;
  const sqlite = (): number => {
    if (!beside) return Number.NaN;
    const database = beside(join(directory, `${databases++}.db`));
    const time = seconds(() => database.put(steps, BATCH));
    database.close();
    return steps.length / time;
  };
  const rate = interleaved({
    strict: () => store('strict'),
    synced: () => bare(true),
    sqlite,
    batch: () => store('batch'),
    written: () => bare(false),
  });
  const row = (name: string, value: number, than: number, anchor: string, goal: number): Row => ({
    name,
    value,
    unit: 'steps/s',
    anchor: `${anchor} (${short(than)}/s)`,
    ...atLeast(value / than, goal),
  });
  return [
    row(`log: append, strict, ${BATCH} steps a batch`, rate.strict, rate.synced, 'write and fdatasync of the same bytes', 0.7),
    ...(beside ? [row('  beside a database', rate.strict, rate.sqlite, 'better-sqlite3, synchronous FULL', 1.5)] : []),
    { name: `log: append, batch, ${BATCH} steps a batch`, value: rate.batch, unit: 'steps/s', ...figure },
    { name: '  the bare writes', value: rate.written, unit: 'steps/s', ...figure },
  ];
}

function size(file: Uint8Array, steps: readonly Step[]): Row {
  const json = steps.reduce((sum, step) => sum + JSON.stringify(step).length + 1, 0);
  const value = file.length / steps.length;
  return { name: 'log: size', value, unit: 'bytes/step', anchor: 'JSON', ...atMost(file.length / json, 0.25) };
}

const RECORDING_ROUNDS = 15;

/** The same runs with a log and without one: the Live CD, which is a host at work, and nothing but hypercalls as fast as they go. */
function recording(calls: number): Row[] {
  const scenario = loadScenario(new URL('../../examples/livecd/livecd.yaml', import.meta.url).pathname);
  const { header, images, run } = scenario;
  const play1 = (dispatcher: Dispatcher): number =>
    cpuSeconds(() => {
      for (const _ of play(dispatcher, run)) void _;
    });
  const recorded = (): Dispatcher => new Recording({ header, images, hash: sha256, sink: () => {} }).dispatcher;
  const plain = (): Dispatcher => new Dispatcher({ config: run.config, seed: run.seed, images });
  // As in a process whose host goes on: an engine forgets how to run code fast when nothing is left of what it was for.
  const kept = [recorded(), plain()];
  for (const dispatcher of kept) play1(dispatcher);
  const livecd = interleaved({ with: () => play1(recorded()), without: () => play1(plain()) }, RECORDING_ROUNDS);
  if (new Set(kept.map((dispatcher) => dispatcher.host.digest())).size > 1) throw new Error('recording changes the run');
  scenario.close();
  const mix = makeMix(calls);
  const hypercalls = (unrecorded: boolean): number => {
    const live = new LiveBench(() => {}, DOMAINS, false, unrecorded, sha256);
    return cpuSeconds(() => live.run(mix));
  };
  const time = interleaved({ with: () => hypercalls(false), without: () => hypercalls(true) }, RECORDING_ROUNDS);
  return [
    {
      name: 'log: the Live CD, recorded',
      value: livecd.with,
      unit: 's of CPU',
      anchor: 'its time without a log',
      ...atMost(livecd.with / livecd.without, 1.15),
    },
    {
      name: 'log: nothing but hypercalls, recorded',
      value: calls / time.with,
      unit: 'calls/s of CPU',
      anchor: 'the time without a log',
      ...atMost(time.with / time.without, 1.15),
    },
  ];
}

/** Counts the bytes that a log is read by. */
function counted(): { readonly files: FileLayer; readonly read: () => number } {
  let bytes = 0;
  const source = (path: string): Source | undefined => {
    const found = nodeFiles.source(path);
    return (
      found && {
        ...found,
        read(at, length) {
          const part = found.read(at, length);
          bytes += part.length;
          return part;
        },
      }
    );
  };
  const read = (path: string): Uint8Array | undefined => {
    const found = nodeFiles.read(path);
    bytes += found?.length ?? 0;
    return found;
  };
  return { files: { ...nodeFiles, source, read }, read: () => bytes };
}

/** A log of many blocks, each with the same steps but for their numbers: it takes no longer than writing it. */
function writeLarge(path: string, steps: readonly Step[], size: number, closed: boolean): number {
  const fd = openSync(path, 'w');
  const header = encodeHeader(liveHeader);
  let chain = sha256(header);
  const put = (kind: number, count: number, firstSeq: number, payload: Uint8Array): void => {
    const block = sealBlock({ kind, count, firstSeq }, payload, chain, sha256);
    chain = block.chain;
    writeSync(fd, block.header);
    writeSync(fd, payload);
  };
  writeSync(fd, header);
  const encoder = new BlockEncoder();
  for (const step of steps.slice(-STEPS_PER_BLOCK)) encoder.add(step);
  const payload = encoder.flush();
  const blocks = Math.ceil(size / payload.length);
  for (let block = 0; block < blocks; block++) put(STEPS, STEPS_PER_BLOCK, block * STEPS_PER_BLOCK, payload);
  const count = blocks * STEPS_PER_BLOCK;
  if (closed) put(END, 0, count, new TextEncoder().encode(JSON.stringify({ steps: count, state: 0, memory: 0 })));
  fdatasyncSync(fd);
  closeSync(fd);
  return count;
}

/** Opening, looking at a step and at a state, and recovery, in a log of so many bytes. */
function large(directory: string, small: Log, steps: readonly Step[], size: number): Row[] {
  const path = join(directory, 'large.xlog');
  const count = writeLarge(path, steps, size, false);
  const bytes = statSync(path).size;
  const mib = `${short(bytes / 2 ** 20)} MiB`;

  const opening = counted();
  let log: Log | undefined;
  const open = seconds(() => {
    log = readRun(path, opening.files)!;
    log.around(Math.floor(count * 0.7));
  });
  const openedBy = opening.read();

  // As an earlier cursor leaves them in a log of this size: a state every 2^18 steps in one of 1 GiB.
  const medium = new MemoryMedium();
  const states = new CheckpointCache(medium, log!.run);
  const host = new Cursor(small).stateAt(small.length - STEPS_PER_BLOCK);
  const wanted = Math.floor(count * 0.7);
  const apart = STEPS_PER_BLOCK * Math.ceil((64 * size) / 2 ** 30);
  const left = Math.floor(wanted / apart) * apart;
  states.writeState(left, host.snapshot(), host.digest(), log!.chainWith(left - 1)!);
  const cursor = new Cursor(log!, { cache: new CheckpointCache(medium, log!.run) });
  const seek = seconds(() => void cursor.stateAt(wanted));
  const soughtBy = opening.read() + medium.size;
  log!.close();

  const rows = new RowWriter();
  const sealed = new Log([nodeFiles.source(path)!], sha256).sealed;
  rows.begin(sealed);
  for (const step of steps.slice(0, 1000)) rows.add({ step: { ...step, seq: count + step.seq }, blobs: [] });
  const fd = openSync(sidecarOf(path), 'w');
  writeSync(fd, rows.view());
  closeSync(fd);
  const recovery = seconds(() => {
    if (recoverLog(path).folded !== 1000) throw new Error('the benchmark has lost steps');
  });
  return [
    {
      name: `log: open and read a step, ${mib}`,
      value: openedBy,
      unit: 'bytes',
      anchor: 'the log',
      ...atMost(openedBy / bytes, 0.02),
    },
    { name: '  time', value: open * 1000, unit: 'ms', ...figure },
    {
      name: `log: open and seek to a state, ${mib}`,
      value: soughtBy,
      unit: 'bytes',
      anchor: 'the log',
      ...atMost(soughtBy / bytes, 0.02),
    },
    { name: '  time of the seek', value: seek * 1000, unit: 'ms', ...figure },
    { name: `log: recovery, ${mib}`, value: recovery, unit: 's', anchor: '2 s', ...atMost(recovery / 2, 1) },
  ];
}

/** A host with 1,000 idle domains, 40 nodes in XenStore each: checkpoints of all of it, and of what has changed since the one before. */
function idleDomains(): Row[] {
  const live = new LiveBench(() => {}, 1000);
  const { dispatcher } = live.recording;
  const connected = dispatcher.input({ type: 'xenstore.connect', domid: 0 }, 'socket') as { value: { conn: number } };
  const { conn } = connected.value;
  for (let domid = 1; domid <= 1000; domid++)
    for (let key = 0; key < 40; key++) {
      const path = `/local/domain/${domid}/device/vbd/${key >> 3}/${key}`;
      dispatcher.input({ type: 'xenstore.write', conn, tx: 0, path, value: `${key}` }, 'socket');
    }
  const empty = () => {
    const medium = new MemoryMedium();
    return { medium, cache: new CheckpointCache(medium, '00'.repeat(32)) };
  };
  const { medium, cache } = empty();
  const take = (into: CheckpointCache): number => {
    dispatcher.input({ type: 'xenstore.write', conn, tx: 0, path: '/local/domain/7/data', value: `${dispatcher.seq}` }, 'socket');
    return seconds(() => into.write(dispatcher.checkpoint(), dispatcher.digest()));
  };
  const first = take(cache);
  const firstBytes = medium.size;
  const later = median(Array.from({ length: TAKEN }, () => take(cache)));
  const laterBytes = (medium.size - firstBytes) / TAKEN;
  const whole = median(Array.from({ length: TAKEN }, () => take(empty().cache)));
  const row = (name: string, time: number): Row => ({
    name,
    value: time * 1000,
    unit: 'ms',
    anchor: '50 ms',
    ...atMost(time / 0.05, 1),
  });
  return [
    row('log: checkpoint of 1,000 idle domains, all of it', whole),
    row('  what has changed since the one before', later),
    { name: '  the first of a process, in code that has not run yet', value: first * 1000, unit: 'ms', ...figure },
    { name: '  bytes, all of it and later', value: firstBytes, unit: `and ${short(laterBytes)} bytes`, ...figure },
  ];
}
const TAKEN = 9;

/** Seeks in a log of so many steps on a host of 100 domains, and in one ten times as long: in turn, for the machine may be busy. */
function seeks(calls: number): Row[] {
  const logs = [calls, calls * 10].map((count) => {
    const log = new Log([bytesSource(mixLog(count))], sha256);
    const cursor = new Cursor(log);
    cursor.stateAt(log.length);
    return { log, cursor, times: [] as number[] };
  });
  const [one, ten] = logs as [(typeof logs)[0], (typeof logs)[0]];
  const whole = median([1, 2, 3].map(() => seconds(() => fold(one.log))));
  for (let i = 0; i < 101; i++)
    for (const { log, cursor, times } of logs) {
      const seq = Math.floor((log.length * ((i * 37) % 101)) / 101);
      times.push(seconds(() => void cursor.stateAt(seq)));
    }
  const row = ({ log, times }: (typeof logs)[0]) => ({
    name: `log: seek among ${short(log.length)} steps, p50`,
    value: median(times) * 1000,
    unit: 'ms',
  });
  const ratio = median(one.times) / ((whole * 1e6) / one.log.length);
  return [
    { ...row(one), anchor: 'a full fold of a million', ...atMost(ratio, 0.01) },
    { ...row(ten), anchor: 'ten times fewer', ...atMost(median(ten.times) / median(one.times), 2) },
  ];
}
