// Mapping a grant and letting go of it again, by a backend in dom0: in the core with its log, and in a bare loop over typed arrays.

import { LogWriter } from '../events/log.ts';
import { eventsOf } from '../events/step.ts';
import type { Step } from '../events/vocabulary.ts';
import { type CoreCommand, type CoreFact, decide, evolve, writeGuest, Xen } from '../src/core/index.ts';
import { Memory } from '../src/memory/memory.ts';
import { RecordingReader } from '../src/memory/reader.ts';
import { Journal } from '../src/tables/journal.ts';
import { header, machine, nodeHash } from './core.ts';
import { benchDomain, XEN } from './domain.ts';

/** Grants of each domain. */
const REFS = 8;
/** Mappings that there are at any time: what rings and requests under way hold. */
const WINDOW = 64;

/** The same draws for either design: which domain's grant is mapped next, and which of them. */
function draws(domains: number): () => { dom: number; ref: number } {
  let state = 0x9e3779b9;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return { dom: 1 + ((state >>> 3) % domains), ref: state & (REFS - 1) };
  };
}

/** dom0 and domains that grant it their pages. */
export class GrantBench {
  private readonly xen: Xen;
  private readonly memory: Memory;
  private readonly reader: RecordingReader;
  private readonly writer: LogWriter | undefined;
  private readonly domains: number;
  private seq = 0;

  constructor(domains: number, sink?: (bytes: Uint8Array) => void) {
    const journal = new Journal();
    this.xen = new Xen(journal, machine);
    this.memory = new Memory(journal);
    this.reader = new RecordingReader(this.memory);
    this.writer = sink && new LogWriter(header, sink, nodeHash);
    this.domains = domains;
    for (let domain = 0; domain <= domains; domain++) {
      this.call(benchDomain(domain));
      this.call({ type: 'domctl.max_mem', domid: XEN, domain, max_memkb: REFS * 4 });
      this.call({ type: 'memory.populate_physmap', domid: XEN, dom: domain, gfn: 0, nr_pages: REFS });
      if (domain === 0) continue;
      for (let ref = 0; ref < REFS; ref++) this.call({ type: 'gnttab.seed', domid: 0, dom: domain, ref, gfn: ref, backend: 0 });
    }
  }

  /** Maps so many grants, and takes away the oldest mapping each time. */
  run(pairs: number): void {
    const draw = draws(this.domains);
    const handles: number[] = [];
    for (let i = 0; i < WINDOW; i++) handles.push(this.map(draw()));
    for (let i = 0; i < pairs; i++) {
      this.call({ type: 'gnttab.unmap_grant_ref', domid: 0, handle: handles[i % WINDOW]! });
      handles[i % WINDOW] = this.map(draw());
    }
    for (const handle of handles) this.call({ type: 'gnttab.unmap_grant_ref', domid: 0, handle });
  }

  private map({ dom, ref }: { dom: number; ref: number }): number {
    const outcome = this.call({ type: 'gnttab.map_grant_ref', domid: 0, dom, ref, readonly: (ref & 1) === 1 });
    if (!outcome.ok) throw new Error(`the benchmark maps nothing: ${outcome.errno}`);
    return (outcome.value as { handle: number }).handle;
  }

  private call(command: CoreCommand): Step['outcome'] {
    const outcome = decide(this.xen, command, this.seq, this.reader);
    const seq = this.seq++;
    const step: Step = { seq, time: seq, origin: 'd0v0', cause: null, command, reads: this.reader.take(), outcome };
    for (const event of eventsOf(outcome) as readonly CoreFact[]) {
      writeGuest(this.xen, this.memory, event);
      evolve(this.xen, event, seq);
    }
    this.writer?.append(step);
    return outcome;
  }
}

/** The floor: entries, counts, flags and a list of handles in arrays. No checks beyond what the state needs, no events, no log. */
export function bareGrants(domains: number, pairs: number): number {
  const entries = (domains + 1) * REFS;
  const flags = new Uint16Array(entries).fill(1);
  const frames = Int32Array.from({ length: entries }, (_, i) => i);
  const readers = new Uint8Array(entries);
  const writers = new Uint8Array(entries);
  const mapped = new Int32Array(1024).fill(-1);
  const next = Int32Array.from({ length: 1024 }, (_, i) => i + 1);
  let head = 0;
  let tail = 1023;
  let sum = 0;
  const map = ({ dom, ref }: { dom: number; ref: number }): number => {
    const at = dom * REFS + ref;
    if ((flags[at]! & 3) !== 1) return -1;
    const handle = head;
    head = next[handle]!;
    mapped[handle] = at;
    const isReadonly = (ref & 1) === 1;
    (isReadonly ? readers : writers)[at]!++;
    flags[at]! |= isReadonly ? 8 : 24;
    sum += frames[at]!;
    return handle;
  };
  const unmap = (handle: number): void => {
    const at = mapped[handle]!;
    mapped[handle] = -1;
    (at & 1 ? readers : writers)[at]!--;
    if (writers[at] === 0) flags[at]! &= ~16;
    if (readers[at]! + writers[at]! === 0) flags[at]! &= ~8;
    next[tail] = handle;
    tail = handle;
  };
  const draw = draws(domains);
  const handles: number[] = [];
  for (let i = 0; i < WINDOW; i++) handles.push(map(draw()));
  for (let i = 0; i < pairs; i++) {
    unmap(handles[i % WINDOW]!);
    handles[i % WINDOW] = map(draw());
  }
  return sum;
}
