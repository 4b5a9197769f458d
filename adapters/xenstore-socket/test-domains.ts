// Domains without a guest, for conformance tests: `domN.sock` is the ring of domain N, `ctl.sock` is what becomes of it.
//
// ctl.sock takes a command a line and answers each with a line: `create N`, `shutdown N`, `dying N`, `destroy N`.

import { rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { eventsOf } from '../../events/step.ts';
import { DOMID_XEN } from '../../events/units.ts';
import type { Dispatcher } from '../../machines/index.ts';
import { pvDomain } from '../../src/abi/domctl.ts';
import { NIL_UUID } from '../../src/toolstack/cfg/uuid.ts';
import { systemFailure } from '../failure.ts';
import { listen } from './listen.ts';
import type { XenstoreSockets } from './server.ts';

const ORIGIN = 'ctl';
/** A line of ctl.sock is never longer. */
const LONGEST_LINE = 100;

export class TestDomains {
  private readonly dispatcher: Dispatcher;
  private readonly sockets: XenstoreSockets;
  private readonly directory: string;
  private readonly rings = new Map<number, Server>();
  private ctl: Server | undefined;

  /** @param path the socket of the tools: the others are beside it */
  constructor(dispatcher: Dispatcher, sockets: XenstoreSockets, path: string) {
    this.dispatcher = dispatcher;
    this.sockets = sockets;
    this.directory = dirname(path);
  }

  /** Domains 1 to `count` exist from now on; only dom0 is introduced. */
  async start(count: number): Promise<void> {
    for (let domid = 1; domid <= count; domid++) this.create(domid);
    this.dispatcher.steps$.subscribe(({ outcome }) => {
      for (const event of eventsOf(outcome)) {
        if (event.type === 'xenstore.domain_introduced') this.sockets.whenSafe(() => this.open(event.domid));
        else if (event.type === 'xenstore.domain_released') this.sockets.whenSafe(() => this.shut(event.domid));
      }
    });
    for (const { domid, introduced } of this.dispatcher.host.store.domains.values()) if (introduced) this.open(domid);
    this.ctl = await listen(join(this.directory, 'ctl.sock'), (socket) => this.control(socket));
  }
  close(): void {
    this.ctl?.close();
    for (const domid of [...this.rings.keys()]) this.shut(domid);
  }

  private control(socket: Socket): void {
    let text = '';
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      const lines = (text + chunk.toString('latin1')).split('\n');
      text = lines.pop()!;
      if (text.length > LONGEST_LINE) socket.destroy();
      for (const line of lines) {
        const answer = this.perform(line) ? 'ok\n' : 'error: create, shutdown, dying or destroy, and a domain\n';
        this.sockets.whenSafe(() => socket.write(answer));
      }
    });
  }

  /** Does what a line asks; false where it makes no sense. */
  private perform(line: string): boolean {
    const [, what, id] = /^(create|shutdown|dying|destroy) (\d{1,5})$/.exec(line) ?? [];
    if (what === undefined) return false;
    const domid = Number(id);
    if (what === 'create') this.create(domid);
    else if (what === 'shutdown') this.sockets.input({ type: 'xenstore.domain_shutdown', domid }, ORIGIN);
    else {
      if (what === 'destroy') this.sockets.input({ type: 'domctl.destroydomain', domid: DOMID_XEN, domain: domid }, ORIGIN);
      this.sockets.input({ type: 'xenstore.domain_gone', domid }, ORIGIN);
    }
    return true;
  }

  private create(domid: number): void {
    if (domid === 0 || this.dispatcher.host.xen.exists(domid)) return;
    this.sockets.input(
      {
        type: 'domctl.createdomain',
        domid: DOMID_XEN,
        domain: domid,
        ssidref: 0,
        handle: NIL_UUID,
        max_vcpus: 1,
        max_evtchn_port: 1023,
        max_grant_frames: 4,
        max_maptrack_frames: 4,
        ...pvDomain,
      },
      ORIGIN,
    );
  }

  /** The socket is there when the reply to INTRODUCE arrives. */
  private open(domid: number): void {
    if (this.rings.has(domid)) return;
    const path = join(this.directory, `dom${domid}.sock`);
    rmSync(path, { force: true });
    const server = createServer((socket) => {
      const ring = this.sockets.ring(domid);
      ring.attach(socket);
      socket.on('close', () => {
        if (ring.isAt(socket)) ring.detach();
      });
    });
    server.on('error', (error) => this.sockets.fail(systemFailure('listen', path, error)));
    server.listen(path);
    this.rings.set(domid, server);
  }
  private shut(domid: number): void {
    this.rings.get(domid)?.close();
    this.rings.delete(domid);
  }
}
