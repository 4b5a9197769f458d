// dom0's services: xenstored, xenconsoled and the backends, at the moment something concerns them. They wait for no pCPU.
import { eventsOf, HypervisorBug } from '../../events/step.ts';
import type { DomId, Port } from '../../events/units.ts';
import type { Step } from '../../events/vocabulary.ts';
import { takePending } from '../../src/core/evtchn/pending.ts';
import { subsystemOf } from '../../src/host.ts';
import { BlockBackend } from './block-backend.ts';
import { Bootloader } from './bootloader.ts';
import { ConsoleBackend } from './console-backend.ts';
import { Disks, type DisksSnapshot } from './disks.ts';
import { NetworkBackend } from './network-backend.ts';
import type { System } from './system.ts';
import { Xenstored, type XenstoredSnapshot } from './xenstored.ts';

export interface Dom0Snapshot {
  readonly xenstored: XenstoredSnapshot;
  readonly disks: DisksSnapshot;
  readonly block: ReturnType<BlockBackend['snapshot']>;
}

export class Dom0Services {
  private readonly system: System;
  private readonly xenstored: Xenstored;
  private readonly consoles: ConsoleBackend;
  private readonly disks: Disks;
  private readonly block: BlockBackend;
  private readonly network: NetworkBackend;
  private readonly bootloader: Bootloader;
  /** What a step has left to do, oldest first; empty whenever the host is quiet. */
  private todo: (() => void)[] = [];

  constructor(system: System) {
    this.system = system;
    this.disks = new Disks(system);
    this.xenstored = new Xenstored(system);
    this.consoles = new ConsoleBackend(system);
    this.block = new BlockBackend(system, this.disks);
    this.network = new NetworkBackend(system);
    this.bootloader = new Bootloader(system, this.disks);
  }

  get busy(): boolean {
    return this.todo.length > 0 || this.upcallPending();
  }

  /** A step has been taken: what of it concerns a service is done as soon as it has settled. */
  notice(step: Step): void {
    if (subsystemOf(step.command.type) === 'xenstore') this.todo.push(...this.xenstored.deliver(step));
    for (const event of eventsOf(step.outcome)) {
      switch (event.type) {
        case 'xenstore.domain_introduced':
          this.todo.push(() => this.xenstored.introduced(event.domid, event.port, step.seq));
          break;
        case 'xenstore.domain_released':
          this.todo.push(() => this.xenstored.released(event.domid, step.seq));
          break;
        case 'console.opened':
          this.todo.push(() => this.consoles.drain(event.dom, step.seq));
          break;
        case 'console.input_queued':
          this.todo.push(() => this.consoles.type(event.dom, step.seq));
          break;
        case 'bootloader.started':
          this.todo.push(() => this.bootloader.run(event, step.seq));
          break;
        case 'vbd.backend_connected':
          this.todo.push(() => this.block.serve(0, event.frontend, event.vdev, step.seq));
          break;
        case 'vbd.disconnected':
          if (event.domid === 0) this.todo.push(() => this.block.disconnected(event.frontend, event.vdev, step.seq));
          break;
        case 'vif.backend_connected':
          this.todo.push(() => this.network.serve(0, event.frontend, event.devid, step.seq));
          break;
        case 'evtchn.closed':
          if (event.domid === 0) this.todo.push(() => this.unbind(event.port, step.seq));
          break;
      }
    }
  }

  /** Does one thing, if there is one. */
  serve(): boolean {
    const next = this.todo.shift();
    if (next) {
      next();
      return true;
    }
    if (!this.upcallPending()) return false;
    for (const port of takePending(this.system.host.xen, this.system.memory, 0, 0)) this.todo.push(() => this.handle(port));
    return true;
  }

  snapshot(): Dom0Snapshot {
    if (this.todo.length > 0) throw new HypervisorBug('a checkpoint while a service of dom0 has work to do');
    return { xenstored: this.xenstored.snapshot(), disks: this.disks.snapshot(), block: this.block.snapshot() };
  }
  restore(snapshot: unknown): void {
    const { xenstored, disks, block } = snapshot as Dom0Snapshot;
    this.todo = [];
    this.xenstored.restore(xenstored);
    this.disks.restore(disks);
    this.block.restore(block);
  }
  digest(): number {
    return (this.xenstored.digest() ^ this.disks.digest()) >>> 0;
  }
  xenstoredDigest(): number {
    return this.xenstored.digest();
  }

  private upcallPending(): boolean {
    const page = this.system.host.xen.sharedInfo(0);
    return page !== 0 && this.system.memory.get8(page, 0) !== 0;
  }

  private handle(port: Port): void {
    const { system } = this;
    const { evtchn } = system.host.xen;
    const irqs = system.host.guests.irq.of(0);
    if (!irqs || evtchn.ports.of(0)!.state.is(port) === 'free') return;
    system.hypercall({ type: 'guest.handle_irq', domid: 0, port }, 'd0v0', evtchn.ports.of(0)!.raised_by.at(port));
    const cause = system.lastSeq;
    const peer: DomId = irqs.peer.at(port);
    switch (irqs.handler.is(port)) {
      case 'store':
        this.xenstored.serve(peer, cause);
        return;
      case 'console':
        this.consoles.drain(peer, cause);
        this.consoles.type(peer, cause);
        return;
      case 'vbd':
        this.block.serve(0, peer, irqs.dev.at(port), cause);
        return;
      case 'vif':
        this.network.serve(0, peer, irqs.dev.at(port), cause);
        return;
      case 'domain':
        this.xenstored.lookAtDomains(cause);
        return;
      default:
        return;
    }
  }

  private unbind(port: Port, cause: number): void {
    const irqs = this.system.host.guests.irq.of(0);
    if (irqs && irqs.handler.is(port) !== 'none')
      this.system.hypercall({ type: 'guest.unbind_irq', domid: 0, port }, 'd0v0', cause);
  }
}
