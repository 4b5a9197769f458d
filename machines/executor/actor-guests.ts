// Actor guests: an operating system as statecharts, run a slice at a time. Nothing reaches its actors while its vCPU does not run.
import type { DomId, Ns, Port } from '../../events/units.ts';
import { type Command, returnOf } from '../../events/vocabulary.ts';
import { takePending } from '../../src/core/evtchn/pending.ts';
import { subsystemOf } from '../../src/host.ts';
import { costOf } from './costs.ts';
import { GuestBlock } from './guest-block.ts';
import { GuestConsole } from './guest-console.ts';
import { GuestNetwork } from './guest-network.ts';
import { GuestWork } from './guest-work.ts';
import { GuestXenbus } from './guest-xenbus.ts';
import { Privates, type PrivatesSnapshot } from './private.ts';
import type { Asked, Executor, Exit, System } from './system.ts';

export class ActorGuests implements Executor {
  private readonly system: System;
  private readonly privates: Privates;
  private readonly xenbus: GuestXenbus;
  private readonly console: GuestConsole;
  private readonly block: GuestBlock;
  private readonly network: GuestNetwork;
  private readonly work: GuestWork;

  constructor(system: System) {
    this.system = system;
    this.privates = new Privates(system.host.journal);
    this.xenbus = new GuestXenbus(system, this.privates);
    this.console = new GuestConsole(system, this.privates);
    this.block = new GuestBlock(system, this.privates);
    this.network = new GuestNetwork(system, this.privates);
    this.work = new GuestWork(system, this.privates, this.block, this.network);
  }

  ask(domid: DomId, asked: Asked): void {
    this.privates.set(domid, { inbox: [...this.privates.get(domid).inbox, asked] });
  }
  forget(domid: DomId): void {
    this.privates.forget(domid);
  }
  digest(): number {
    return this.privates.digest();
  }
  snapshot(): PrivatesSnapshot {
    return this.privates.snapshot();
  }
  restore(snapshot: unknown): void {
    this.privates.restore(snapshot as PrivatesSnapshot);
  }

  run(domid: DomId, vcpu: number, until: Ns): Exit {
    const { system } = this;
    const origin = `d${domid}v${vcpu}`;
    const runs = (): boolean => system.host.xen.sched.vcpu.of(domid)?.runstate.is(vcpu) === 'running';
    // A kernel of ours works on its first vCPU; the others come up and wait.
    if (vcpu === 0) {
      if (system.host.guests.records.get(domid)?.started === false)
        this.call(domid, { type: 'guest.start', domid }, origin, system.lastSeq);
      while (runs()) {
        if (system.now >= until) return 'budget';
        if (this.performNext(domid) || this.handleUpcall(domid, vcpu, origin)) continue;
        if (this.xenbus.flush(domid, origin) || this.console.flush(domid, origin)) continue;
        if (this.work.progress(domid, origin, until)) continue;
        this.work.armTimer(domid, origin);
        if (!runs()) break;
        const outcome = system.hypercall({ type: 'sched.block', domid, vcpu }, origin, system.lastSeq);
        if (!outcome.ok || (outcome.value as { blocked: number }).blocked === 1) return 'blocked';
      }
      return 'gone';
    }
    takePending(system.host.xen, system.memory, domid, vcpu);
    system.hypercall({ type: 'sched.block', domid, vcpu }, origin, system.lastSeq);
    return 'blocked';
  }

  /** The oldest thing that an actor of this guest has asked for. */
  private performNext(domid: DomId): boolean {
    const [next, ...inbox] = this.privates.get(domid).inbox;
    if (!next) return false;
    this.privates.set(domid, { inbox });
    const { command, origin, cause } = next;
    if (subsystemOf(command.type) === 'xenstore') {
      this.system.spend(costOf(command));
      this.xenbus.send(domid, command, origin, cause);
      return true;
    }
    this.call(domid, command, origin, cause);
    return true;
  }

  private call(domid: DomId, command: Command, origin: string, cause: number): void {
    this.system.spend(costOf(command));
    const outcome = this.system.hypercall(command, origin, cause);
    if (!outcome.ok) return;
    // The kernel's own side of what has just been accepted.
    switch (command.type) {
      case 'hvc.write':
        this.console.write(domid, command.text);
        return;
      case 'vbd.connect_frontend':
        this.block.connect(domid, command.vdev);
        return;
      case 'vif.connect_frontend':
        this.network.connect(domid, command.devid, `d${domid}v0`);
        return;
      case 'guest.start_work':
        this.work.start(domid, (returnOf({ command, outcome }) as unknown as { work: number }).work);
    }
  }

  /** Takes what is pending and calls the handlers, each in a step of its own that says what led to it. */
  private handleUpcall(domid: DomId, vcpu: number, origin: string): boolean {
    const { system } = this;
    const ports = takePending(system.host.xen, system.memory, domid, vcpu);
    for (const port of ports) this.handle(domid, port, origin);
    return ports.length > 0;
  }
  private handle(domid: DomId, port: Port, origin: string): void {
    const { system } = this;
    const ports = system.host.xen.evtchn.ports.of(domid);
    if (!ports) return; // the domain went while it handled another
    system.spend(costOf({ type: 'guest.handle_irq', domid, port }));
    system.hypercall({ type: 'guest.handle_irq', domid, port }, origin, ports.raised_by.at(port));
    const irqs = system.host.guests.irq.of(domid);
    if (!irqs) return;
    switch (irqs.handler.is(port)) {
      case 'store':
        this.xenbus.receive(domid, origin);
        return;
      case 'console':
        this.console.receive(domid, origin);
        return;
      case 'vbd':
        this.block.receive(domid, irqs.dev.at(port), origin);
        return;
      case 'vif':
        this.network.receive(domid, irqs.dev.at(port), origin);
        return;
      case 'timer':
        this.work.timerFired(domid);
        return;
      default:
        return;
    }
  }
}
