// XenStore: in process, and as a daemon behind its socket with the log on, beside a bare echo server and what C xenstored 4.17 did.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FIRST_SOCKET, requestTypes, type XenstoreCommand } from '../events/xenstore.ts';
import { Recording } from '../machines/index.ts';
import { defaultHost } from '../src/host-config.ts';
import { Journal } from '../src/tables/journal.ts';
import { decide, decode, encodeStep, evolve, XenStore } from '../src/xenstore/index.ts';
import { seconds } from './harness.ts';

const VALUE = 'v'.repeat(64);
const WRITE = requestTypes.indexOf('WRITE');
const conn = FIRST_SOCKET;

/** What answers writes in process: the request's payload in, the reply's out. */
export type Writer = (payload: string) => unknown;

/** The store alone, with so many nodes in it and so many children in the directory that is written to. */
export function storeWriter({ nodes = 0, children = 0 } = {}): Writer {
  const store = new XenStore(new Journal());
  const domains = { exists: () => true };
  const submit = (command: XenstoreCommand): unknown => {
    const outcome = decide(store, command, domains);
    for (const event of outcome.events ?? []) evolve(store, event, 0);
    return encodeStep(command, outcome);
  };
  submit({ type: 'xenstore.connect', domid: 0 });
  const write = (payload: string): unknown => submit(decode(WRITE, 0, payload, conn, store.profile));
  for (let i = 0; i < nodes; i++) write(`/other/${i % 331}/${i}\0${VALUE}`);
  for (let i = 0; i < children; i++) write(`/bench/c0/other${i}\0${VALUE}`);
  return write;
}

/** A whole host with its log. */
export function hostWriter(): Writer {
  const header = { xenolog: 'bench', seed: 1, xen_version: '4.17', host: defaultHost, images: [] };
  const { dispatcher } = new Recording({ header, images: [], sink: () => {} });
  dispatcher.input({ type: 'xenstore.connect', domid: 0 }, 'socket');
  return (payload) => {
    const command = decode(WRITE, 0, payload, conn, dispatcher.host.store.profile);
    return encodeStep(command, dispatcher.input(command, `socket.${conn}`) as Parameters<typeof encodeStep>[1]);
  };
}

/** Writes a second, over and over to the same 32 nodes. */
export function writeRate(write: Writer, count: number): number {
  const payloads = Array.from({ length: 32 }, (_, k) => `/bench/c0/k${k}\0${VALUE}`);
  const run = (times: number): void => {
    for (let i = 0; i < times; i++) write(payloads[i & 31]!);
  };
  run(count >> 2);
  return count / seconds(() => run(count));
}

/** A server in a process of its own, and clients of it. */
export class Served {
  private readonly directory = mkdtempSync(join(tmpdir(), 'xenolog-bench-'));
  private readonly path: string;
  private readonly process: ChildProcess | undefined;
  private constructor(args: readonly string[] | ((path: string, directory: string) => readonly string[])) {
    this.path = typeof args === 'function' ? join(this.directory, 'socket') : args[0]!;
    if (typeof args !== 'function') return;
    this.process = spawn(process.execPath, args(this.path, this.directory), { stdio: ['ignore', 'pipe', 'inherit'] });
  }
  /** A server that somebody else has started. */
  static at(path: string): Served {
    return new Served([path]);
  }
  static async daemon(): Promise<Served> {
    const main = fileURLToPath(new URL('../adapters/cli/main.js', import.meta.url));
    return Served.started((path, directory) => [main, 'xenstored', '--socket', path, '--state', directory]);
  }
  /** Sends back whatever comes, and nothing else. */
  static async echo(): Promise<Served> {
    const program = `require('node:net').createServer((s) => s.on('data', (d) => s.write(d))).listen(process.argv[1], () => console.log())`;
    return Served.started((path) => ['-e', program, path]);
  }
  private static async started(args: (path: string, directory: string) => readonly string[]): Promise<Served> {
    const served = new Served(args);
    await new Promise((resolve) => served.process!.stdout!.once('data', resolve));
    return served;
  }
  async client(): Promise<Client> {
    const socket = connect(this.path);
    await new Promise((resolve) => socket.once('connect', resolve));
    return new Client(socket);
  }
  async stop(): Promise<void> {
    const { process } = this;
    if (process) {
      const ended = new Promise((resolve) => process.once('exit', resolve));
      process.kill();
      await ended;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export class Client {
  /** Called for every message that comes. */
  onMessage: (type: number, payload: string) => void = () => {};
  private readonly socket: Socket;
  private rest: Buffer = Buffer.alloc(0);
  constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => {
      let at = 0;
      const bytes = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
      while (bytes.length - at >= 16) {
        const end = at + 16 + bytes.readUInt32LE(at + 12);
        if (end > bytes.length) break;
        const from = at + 16;
        at = end;
        this.onMessage(bytes.readUInt32LE(from - 16), bytes.toString('latin1', from, end));
      }
      this.rest = bytes.subarray(at);
    });
  }
  send(message: Buffer): void {
    this.socket.write(message);
  }
  close(): void {
    this.socket.destroy();
  }
}

export function frame(op: (typeof requestTypes)[number], payload: string, tx = 0): Buffer {
  const bytes = Buffer.alloc(16 + payload.length);
  bytes.writeUInt32LE(requestTypes.indexOf(op), 0);
  bytes.writeUInt32LE(tx, 8);
  bytes.writeUInt32LE(payload.length, 12);
  bytes.write(payload, 16, 'latin1');
  return bytes;
}

/** How often a second one client does something, `depth` of them under way at once. `next` makes the messages of each. */
export async function rate(
  served: Served,
  ms: number,
  depth: number,
  next: (slot: number, reply: string) => Buffer,
): Promise<number> {
  const client = await served.client();
  let done = 0;
  let started = 0;
  await new Promise<void>((resolve) => {
    const order: number[] = [];
    client.onMessage = (_, payload) => {
      const slot = order.shift()!;
      done++;
      if (performance.now() - started >= ms) {
        if (order.length === 0) resolve();
        return;
      }
      order.push(slot);
      client.send(next(slot, payload));
    };
    started = performance.now();
    const first: Buffer[] = [];
    for (let slot = 0; slot < depth; slot++) {
      order.push(slot);
      first.push(next(slot, ''));
    }
    client.send(Buffer.concat(first));
  });
  const elapsed = (performance.now() - started) / 1000;
  client.close();
  return done / elapsed;
}

export const writes = Array.from({ length: 32 }, (_, k) => frame('WRITE', `/bench/c0/k${k}\0${VALUE}`));

/** Transactions of three writes a second, one at a time: start; then the writes and the end in one go. */
export async function transactionRate(served: Served, ms: number): Promise<number> {
  const client = await served.client();
  let transactions = 0;
  const started = performance.now();
  await new Promise<void>((resolve) => {
    const start = frame('TRANSACTION_START', '\0');
    client.onMessage = (type, payload) => {
      if (requestTypes[type] === 'TRANSACTION_START') {
        const tx = Number.parseInt(payload, 10);
        const parts = [0, 1, 2].map((j) => frame('WRITE', `/bench/t/k${j}\0${VALUE}`, tx));
        client.send(Buffer.concat([...parts, frame('TRANSACTION_END', 'T\0', tx)]));
      } else if (requestTypes[type] === 'TRANSACTION_END') {
        transactions++;
        if (performance.now() - started >= ms) resolve();
        else client.send(start);
      }
    };
    client.send(start);
  });
  client.close();
  return (transactions * 1000) / (performance.now() - started);
}

/** Milliseconds from a write to the last event, with so many watches of one client on the path: the median of some. */
export async function fanOut(served: Served, watches: number): Promise<number> {
  const [watcher, writer] = [await served.client(), await served.client()];
  const heard = (count: number): Promise<void> =>
    new Promise((resolve) => {
      let left = count;
      watcher.onMessage = (type) => {
        if (requestTypes[type] === 'WATCH_EVENT' && --left === 0) resolve();
      };
    });
  const first = heard(watches);
  for (let i = 0; i < watches; i++) watcher.send(frame('WATCH', `/bench/fan\0t${i}\0`));
  await first;
  const times: number[] = [];
  for (let i = 0; i < 21; i++) {
    const all = heard(watches);
    const started = performance.now();
    writer.send(frame('WRITE', `/bench/fan\0${i}`));
    await all;
    times.push(performance.now() - started);
  }
  watcher.close();
  writer.close();
  return times.sort((a, b) => a - b)[times.length >> 1]!;
}
