// The core on the mix, without log and with it; the fold of that log; its size beside JSON.

import { createHash } from 'node:crypto';
import { type Log, LogWriter, type RunHeader } from '../events/log.ts';
import { eventsOf } from '../events/step.ts';
import type { Step } from '../events/vocabulary.ts';
import { takePending } from '../src/core/evtchn/pending.ts';
import { type CoreCommand, type CoreFact, decide, evolve, writeGuest, Xen } from '../src/core/index.ts';
import { Memory } from '../src/memory/memory.ts';
import { RecordingReader } from '../src/memory/reader.ts';
import { Journal } from '../src/tables/journal.ts';
import { benchDomain, XEN } from './domain.ts';
import { BIND, BLOCK, CHANNELS, CLOSE, DOMAINS, type Mix, peerOf, SEND } from './mix.ts';

export const header: RunHeader = { xenolog: 'bench', seed: 1, xen_version: '4.17', host: {}, images: [] };
/** As adapters have it: the engine's own SHA-256. */
export const nodeHash = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();
export const machine = { nrCpus: 4, totalPages: 1 << 18 };

/** A hypervisor with its domains and channels, ready for the mix. */
export class CoreBench {
  readonly xen: Xen;
  private readonly memory: Memory;
  private readonly reader: RecordingReader;
  private readonly writer: LogWriter | undefined;
  private seq = 0;
  events = 0;

  /** `sink` takes the bytes of the log; without it there is none. */
  constructor(sink?: (bytes: Uint8Array) => void, domains = DOMAINS, channels = CHANNELS) {
    const journal = new Journal();
    this.xen = new Xen(journal, machine);
    this.memory = new Memory(journal);
    this.reader = new RecordingReader(this.memory);
    this.writer = sink && new LogWriter(header, sink, nodeHash);
    for (let domid = 1; domid <= domains; domid++) {
      this.call(benchDomain(domid));
      this.call({ type: 'domctl.max_vcpus', domid: XEN, domain: domid, max: 1 });
      this.call({ type: 'domctl.setvcpucontext', domid: XEN, domain: domid, vcpu: 0 });
      // The mix blocks vCPUs without a scheduler between: they run beside the pCPUs.
      evolve(this.xen, { type: 'vcpu.detached', domid, vcpu: 0, at_ns: 0 }, 0);
      this.call({ type: 'domctl.unpausedomain', domid: XEN, domain: domid });
    }
    for (let domid = 1; domid <= domains; domid++)
      for (let k = 0; k < channels; k++) {
        const peer = peerOf(domid, k, domains);
        const allocated = this.call({ type: 'evtchn.alloc_unbound', domid, dom: domid, remote_dom: peer });
        const { port } = (allocated as { value: { port: number } }).value;
        this.call({ type: 'evtchn.bind_interdomain', domid: peer, remote_dom: domid, remote_port: port });
      }
  }

  run({ length, op, domid, arg }: Mix): void {
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
          takePending(this.xen, this.memory, dom, 0);
          this.call({ type: 'sched.block', domid: dom, vcpu: 0 });
          break;
      }
    }
  }
  end(): void {
    this.writer?.end({ steps: this.seq, state: this.xen.digest(), memory: 0 });
  }

  private call(command: CoreCommand): Step['outcome'] {
    const outcome = decide(this.xen, command, this.seq, this.reader);
    const seq = this.seq++;
    const step: Step = { seq, time: seq, origin: 'd1v0', cause: null, command, reads: this.reader.take(), outcome };
    for (const event of eventsOf(outcome) as readonly CoreFact[]) {
      writeGuest(this.xen, this.memory, event);
      evolve(this.xen, event, seq);
      this.events++;
    }
    this.writer?.append(step);
    return outcome;
  }
}

/** Applies the facts of a log to a new hypervisor. */
export function foldCore(log: Log): Xen {
  const xen = new Xen(new Journal(), machine);
  log.facts((fact, seq) => {
    evolve(xen, fact as CoreFact, seq);
    // What the bench did behind the log's back, at the same place.
    if (fact.type === 'vcpu.brought_up') evolve(xen, { type: 'vcpu.detached', domid: fact.domid, vcpu: 0, at_ns: 0 }, 0);
  });
  return xen;
}
