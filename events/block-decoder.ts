// The columns of a block to steps: whole ones, or their facts alone.
import type { Blob, Digest } from './block.ts';
import { ByteReader } from './bytes.ts';
import type { ColumnKind } from './column.ts';
import type { Errno } from './errno.ts';
import { currentShape, type FieldPlan, frame, type Plan, planOf, type Shape } from './shape.ts';
import type { Fact, Step } from './vocabulary.ts';

/** Reads one column of one block. */
class Cursor {
  readonly from: ByteReader;
  private readonly kind: ColumnKind;
  private readonly names: readonly string[] | undefined;
  private last = 0;
  /** A column without bytes holds zeros and empty lists. */
  private readonly absent: boolean;
  private readonly words: string[] = [];
  constructor(from: ByteReader, kind: ColumnKind, names?: readonly string[]) {
    this.absent = from.rest === 0 && kind !== 'text' && kind !== 'bytes';
    this.from = from;
    this.kind = kind;
    this.names = names;
  }
  int(): number {
    if (this.absent) return 0;
    const step = this.from.int();
    this.last = Object.is(step, -0) ? this.from.int() : this.last + step;
    return this.last;
  }
  uint(): number {
    return this.absent ? 0 : this.from.uint();
  }
  ints(): number[] {
    const list: number[] = [];
    for (let n = this.count(); n > 0; n--) list.push(this.from.int());
    return list;
  }
  take(): unknown {
    switch (this.kind) {
      case 'int':
        return this.int();
      case 'uint':
        return this.uint();
      case 'name':
        return this.names![this.uint()];
      case 'bool':
        return this.uint() === 1;
      case 'text':
        return this.word();
      case 'ints':
        return this.ints();
      case 'texts': {
        const list: string[] = [];
        for (let n = this.count(); n > 0; n--) list.push(this.word());
        return list;
      }
      case 'bytes':
        return this.from.raw(this.from.uint()).slice();
    }
  }
  word(): string {
    const known = this.from.uint();
    if (known > 0) return this.words[known - 1] ?? '';
    const word = this.from.string();
    this.words.push(word);
    return word;
  }
  /** A length that a damaged column can not make endless. */
  private count(): number {
    return this.absent ? 0 : Math.min(this.from.uint(), this.from.rest);
  }
}

/** No step has more facts, or reads more words, than this: a log that says so is not to be believed. */
const MAX_LIST = 1 << 20;

/** Reads blocks of a log: whole steps, only the facts, or only the blobs. */
export class BlockDecoder {
  private readonly plan: Plan;
  constructor(shape: Shape = currentShape) {
    this.plan = planOf(shape);
  }

  /** Every step of a payload, or what is wrong with it. */
  steps(payload: Uint8Array, firstSeq: number): Step[] | string {
    const block = this.open(payload);
    if (typeof block === 'string') return block;
    const { cursors, count } = block;
    const { commands, facts: factPlans, errnos: names } = this.plan;
    const object = (type: string | undefined, fields: readonly FieldPlan[]): Record<string, unknown> => {
      const made: Record<string, unknown> = type === undefined ? {} : { type };
      for (const { name, column } of fields) made[name] = cursors[column]!.take();
      return made;
    };
    const steps: Step[] = [];
    for (let seq = firstSeq; seq < firstSeq + count; seq++) {
      const time = cursors[frame.time]!.int();
      const origin = cursors[frame.origin]!.word();
      const back = cursors[frame.cause]!.int();
      const batch = cursors[frame.batch]!.int();
      const plan = commands[cursors[frame.command]!.uint()];
      if (!plan) return `step ${seq}: no such command`;
      const reads: number[] = [];
      for (let n = cursors[frame.readCount]!.uint(); n > 0; n--) {
        if (n > MAX_LIST || cursors[frame.reads]!.from.overrun) return `step ${seq}: words that were read are missing`;
        reads.push(cursors[frame.reads]!.int());
      }
      const command = object(plan.type, plan.args);
      const code = cursors[frame.outcome]!.uint();
      const value = code === 0 || code % 2 === 0 ? object(undefined, plan.returns) : undefined;
      const events: unknown[] = [];
      for (let n = cursors[frame.factCount]!.uint(); n > 0; n--) {
        if (n > MAX_LIST || cursors[frame.facts]!.from.overrun) return `step ${seq}: facts are missing`;
        const fact = factPlans[cursors[frame.facts]!.uint()];
        if (!fact) return `step ${seq}: no such fact`;
        events.push(object(fact.type, fact.fields));
      }
      const errno = code === 0 ? undefined : (names[(code - 1) >> 1] as Errno);
      const outcome =
        errno === undefined
          ? { ok: true, value, events }
          : { ok: false, errno, ...(value && { value }), ...(events.length > 0 && { events }) };
      const cause = back === 0 ? null : seq - back;
      const step = { seq, time, origin, cause, ...(batch > 0 && { batch: batch - 1 }), command, reads, outcome };
      steps.push(step as unknown as Step);
    }
    return cursors.some((cursor) => cursor.from.overrun || cursor.from.rest > 0)
      ? 'a column has not the length it should'
      : steps;
  }

  /** Only the facts before step `to`, for a fold: the columns of commands, reads and answers are skipped unread. */
  facts(
    payload: Uint8Array,
    firstSeq: number,
    apply: (fact: Fact, seq: number) => void,
    to = Number.MAX_SAFE_INTEGER,
  ): string | undefined {
    const block = this.open(payload);
    if (typeof block === 'string') return block;
    const { cursors, count } = block;
    const plans = this.plan.facts.map(({ type, fields }) => ({
      type,
      fields: fields.map(({ name, column }) => ({ name, cursor: cursors[column]! })),
    }));
    const counts = cursors[frame.factCount]!;
    const types = cursors[frame.facts]!;
    for (let seq = firstSeq, end = Math.min(to, firstSeq + count); seq < end; seq++)
      for (let n = counts.uint(); n > 0; n--) {
        if (n > MAX_LIST || types.from.overrun) return `step ${seq}: facts are missing`;
        const plan = plans[types.uint()];
        if (!plan) return `step ${seq}: no such fact`;
        const { fields } = plan;
        const fact: Record<string, unknown> = { type: plan.type };
        for (let i = 0; i < fields.length; i++) {
          const { name, cursor } = fields[i]!;
          fact[name] = cursor.take();
        }
        apply(fact as unknown as Fact, seq);
      }
    return undefined;
  }

  /** The pieces of images in a payload. */
  blobs(payload: Uint8Array): Blob[] {
    const rest = this.behindColumns(payload);
    return rest === undefined ? [] : takeBlobs(rest);
  }
  /** The digests in a payload. */
  digests(payload: Uint8Array, firstSeq: number): Digest[] {
    const rest = this.behindColumns(payload);
    if (rest === undefined) return [];
    takeBlobs(rest);
    const digests: Digest[] = [];
    for (let n = rest.rest > 0 ? rest.uint() : 0; n > 0 && !rest.overrun; n--)
      digests.push({
        seq: firstSeq + rest.uint(),
        state: rest.uint(),
        memory: rest.uint(),
        actors: rest.uint(),
        executors: rest.uint(),
      });
    return digests;
  }

  private behindColumns(payload: Uint8Array): ByteReader | undefined {
    const head = new ByteReader(payload);
    head.uint();
    let columns = 0;
    for (let n = head.uint(); n > 0 && !head.overrun; n--) columns += head.uint();
    head.raw(columns);
    return head.overrun ? undefined : new ByteReader(head.raw(head.rest));
  }

  private open(payload: Uint8Array): { cursors: Cursor[]; count: number } | string {
    const head = new ByteReader(payload);
    const count = head.uint();
    const columns = head.uint();
    if (columns !== this.plan.columns.length) return `${columns} columns instead of ${this.plan.columns.length}`;
    const lengths: number[] = [];
    for (let i = 0; i < columns; i++) lengths.push(head.uint());
    const cursors = this.plan.columns.map(({ kind, names }, i) => new Cursor(new ByteReader(head.raw(lengths[i]!)), kind, names));
    return head.overrun ? 'the columns are longer than the block' : { cursors, count };
  }
}

function takeBlobs(from: ByteReader): Blob[] {
  const blobs: Blob[] = [];
  for (let n = from.uint(); n > 0 && !from.overrun; n--)
    blobs.push({ image: from.uint(), chunk: from.uint(), bytes: from.raw(from.uint()).slice() });
  return blobs;
}
