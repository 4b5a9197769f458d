// The live host with its actors and its log on the mix, beside what XState alone takes for the same events; and seeking in the log.

import { createActor } from 'xstate';
import type { Hash, RunHeader } from '../events/log.ts';
import type { Command, Fact } from '../events/vocabulary.ts';
import { Dispatcher } from '../machines/system/dispatcher.ts';
import { Recording } from '../machines/system/recording.ts';
import { vcpu } from '../machines/vcpu.ts';
import { takePending } from '../src/core/evtchn/pending.ts';
import { evolve } from '../src/host.ts';
import { defaultHost, type HostConfig } from '../src/host-config.ts';
import { benchDomain, XEN } from './domain.ts';
import { BIND, BLOCK, CHANNELS, CLOSE, DOMAINS, type Mix, peerOf, SEND } from './mix.ts';

export const header: RunHeader = {
  xenolog: 'bench',
  seed: 1,
  xen_version: '4.17',
  host: { ...defaultHost, memory_mib: 1024 },
  images: [],
};

/** A recorded host with idle domains: one vCPU each, and the mix's channels if they are to take it. */
export class LiveBench {
  readonly recording: Recording;
  /** The facts that went to vCPU actors, if they are to be counted. */
  readonly sent: { readonly domid: number; readonly fact: Fact }[] = [];

  constructor(sink: (bytes: Uint8Array) => void, domains = DOMAINS, keep = false, unrecorded = false, hash?: Hash) {
    const plain = unrecorded && new Dispatcher({ config: header.host as HostConfig, seed: header.seed, images: [] });
    this.recording = plain
      ? ({ dispatcher: plain } as Recording)
      : new Recording({ header, images: [], sink, ...(hash && { hash }) });
    const { dispatcher } = this.recording;
    for (let domid = 1; domid <= domains; domid++) {
      this.call(benchDomain(domid));
      this.call({ type: 'domctl.max_vcpus', domid: XEN, domain: domid, max: 1 });
      this.call({ type: 'domctl.setvcpucontext', domid: XEN, domain: domid, vcpu: 0 });
      // The mix blocks vCPUs without a scheduler between: they run beside the pCPUs.
      const detached: Fact = { type: 'vcpu.detached', domid, vcpu: 0, at_ns: 0 };
      evolve(dispatcher.host, detached, 0);
      dispatcher.directory.deliver(detached, 0, 'operator');
      this.call({ type: 'domctl.unpausedomain', domid: XEN, domain: domid });
    }
    if (domains !== DOMAINS) return;
    for (let domid = 1; domid <= DOMAINS; domid++)
      for (let k = 0; k < CHANNELS; k++) {
        const peer = peerOf(domid, k);
        const outcome = this.call({ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: peer });
        const { port } = (outcome as { value: { port: number } }).value;
        this.call({ type: 'evtchn.bind_interdomain', domid: peer, remote_dom: domid, remote_port: port });
      }
    if (keep)
      dispatcher.steps$.subscribe((step) => {
        for (const fact of step.outcome.events ?? [])
          if (fact.type === 'vcpu.woken' || fact.type === 'vcpu.blocked') this.sent.push({ domid: fact.domid, fact });
      });
  }

  run({ length, op, domid, arg }: Mix): void {
    const { dispatcher } = this.recording;
    for (let i = 0; i < length; i++) {
      const dom = domid[i]!;
      switch (op[i]) {
        case SEND:
          this.call({ type: 'evtchn.send', domid: dom, port: arg[i]! });
          break;
        case BIND:
          this.call({ type: 'evtchn.alloc_unbound', domid: dom, dom, remote_dom: arg[i]! });
          break;
        case CLOSE:
          this.call({ type: 'evtchn.close', domid: dom, port: arg[i]! });
          break;
        case BLOCK:
          takePending(dispatcher.host.xen, dispatcher.memory, dom, 0);
          this.call({ type: 'sched.block', domid: dom, vcpu: 0 });
          break;
      }
    }
  }

  private call(command: Command) {
    return this.recording.dispatcher.hypercall(command, 'bench', 0);
  }
}

/** The same events to the same machines, and nothing else. */
export function bareXstate(sent: LiveBench['sent']): () => void {
  const actors = Array.from({ length: DOMAINS + 1 }, (_, domid) => {
    const actor = createActor(vcpu, { id: `d${domid}v0`, input: { domid, vcpu: 0 } }).start();
    actor.send({ type: 'vcpu.brought_up', domid, vcpu: 0, at_ns: 0 });
    actor.send({ type: 'vcpu.unpaused', domid, vcpu: 0, at_ns: 0 });
    return actor;
  });
  return () => {
    for (const { domid, fact } of sent) actors[domid]!.send(fact as Extract<Fact, { type: 'vcpu.woken' }>);
  };
}
