// The daemon as a process, and a client that speaks the wire by hand.
import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { requestTypes } from '../../events/xenstore.ts';
import { main } from './program.ts';

export type Op = (typeof requestTypes)[number];

export interface Message {
  readonly op: Op;
  readonly rid: number;
  readonly tx: number;
  /** NULs are shown as |. */
  readonly body: string;
}

export class Daemon {
  readonly socket: string;
  readonly log: string;
  private readonly directory: string;
  private readonly process: ChildProcess;
  private stderr = '';

  private constructor(directory: string, ...options: readonly string[]) {
    this.directory = directory;
    this.socket = join(directory, 'socket');
    this.log = join(directory, 'run.xlog');
    const args = [main, 'xenstored', '--socket', this.socket, '--state', directory, ...options];
    this.process = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.process.stderr!.on('data', (text) => {
      this.stderr += text;
    });
  }
  get pid(): number {
    return this.process.pid!;
  }
  /** Started when this resolves. */
  static async start(directory: string, ...options: readonly string[]): Promise<Daemon> {
    const daemon = new Daemon(directory, ...options);
    await new Promise<void>((resolve, reject) => {
      daemon.process.stdout!.once('data', () => resolve());
      daemon.process.once('exit', () => reject(new Error(`it ended: ${daemon.stderr}`)));
    });
    return daemon;
  }
  open(name = 'socket'): Promise<Client> {
    return Client.open(join(this.directory, name));
  }
  /** One command of ctl.sock. */
  control(command: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.directory, 'ctl.sock'), () => socket.write(`${command}\n`));
      socket.once('data', (line) => {
        socket.destroy();
        resolve(line.toString().trim());
      });
      socket.once('error', reject);
    });
  }
  /** Ends it as an operator does; answers its exit status. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return this.process.exitCode;
    const ended = new Promise<number | null>((resolve) => this.process.once('exit', resolve));
    this.process.kill(signal);
    return ended;
  }
}

export class Client {
  /** What has come and nobody has asked for yet. */
  inbox: Message[] = [];
  closed = false;
  private readonly socket: Socket;
  private buffer = Buffer.alloc(0);
  private rid = 0;
  private wake = (): void => {};

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (chunk) => this.take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.closed = true;
      this.wake();
    });
  }
  static open(path: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => resolve(new Client(socket)));
      socket.once('error', reject);
    });
  }

  /** Sends bytes as they are. */
  raw(bytes: string): void {
    this.socket.write(bytes, 'latin1');
  }
  /** Sends a request; answers its req_id. */
  send(op: Op, body: string, tx = 0): number {
    const rid = ++this.rid;
    this.raw(message(op, body, { rid, tx }));
    return rid;
  }
  /** The reply to a request, as `OP body`; `closed` where none comes any more. What came before it stays in the inbox. */
  async ask(op: Op, body: string, tx = 0): Promise<string> {
    return this.reply(this.send(op, body, tx));
  }
  async reply(rid: number): Promise<string> {
    for (;;) {
      const at = this.inbox.findIndex((one) => one.rid === rid && one.op !== 'WATCH_EVENT');
      if (at >= 0) {
        const [{ op, body }] = this.inbox.splice(at, 1) as [Message];
        return `${op} ${body}`;
      }
      if (this.closed) return 'closed';
      await this.news();
    }
  }
  /** Until so many messages are in the inbox. */
  async until(count: number): Promise<void> {
    while (this.inbox.length < count && !this.closed) await this.news();
  }
  async end(): Promise<void> {
    while (!this.closed) await this.news();
  }
  /** Nothing is read any more. */
  pause(): void {
    this.socket.pause();
  }
  resume(): void {
    this.socket.resume();
  }
  close(): void {
    this.socket.destroy();
  }

  /** Until something comes. */
  news(): Promise<void> {
    if (this.closed) return Promise.resolve();
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }
  private take(chunk: Buffer): void {
    this.buffer = Buffer.concat([this.buffer, chunk]);
    while (this.buffer.length >= 16) {
      const end = 16 + this.buffer.readUInt32LE(12);
      if (this.buffer.length < end) break;
      const [type, rid, tx] = [0, 4, 8].map((at) => this.buffer.readUInt32LE(at)) as [number, number, number];
      const body = this.buffer.toString('latin1', 16, end).replaceAll('\0', '|');
      this.inbox.push({ op: requestTypes[type]!, rid, tx, body });
      this.buffer = this.buffer.subarray(end);
    }
    this.wake();
  }
}

/** A request as bytes; | stands for NUL. */
export function message(
  op: Op,
  body: string,
  { rid = 1, tx = 0, length }: { rid?: number; tx?: number; length?: number } = {},
): string {
  const payload = body.replaceAll('|', '\0');
  const header = Buffer.alloc(16);
  for (const [i, value] of [requestTypes.indexOf(op), rid, tx, length ?? payload.length].entries())
    header.writeUInt32LE(value, i * 4);
  return header.toString('latin1') + payload;
}
