// Steps to columns and back: one column for each field of each message. By field, never by looking at a value: guests choose values.
import { ByteReader, ByteWriter } from './bytes.ts';
import { Column, type ColumnKind } from './column.ts';
import { type Errno, errnos } from './errno.ts';
import type { Field, FieldKind, Fields } from './schema.ts';
import { HypervisorBug } from './step.ts';
import { type Fact, facts, operations, type Step } from './vocabulary.ts';

/** One field as the header of a log describes it: name, kind, and the names of an enumeration. */
export type ShapeField = readonly [name: string, kind: FieldKind, names?: readonly string[]];
/** A vocabulary as plain data. A log carries its own, so that it can be read when the vocabulary has grown. */
export interface Shape {
  readonly commands: readonly (readonly [type: string, args: readonly ShapeField[], returns: readonly ShapeField[]])[];
  readonly facts: readonly (readonly [type: string, fields: readonly ShapeField[]])[];
  readonly errnos: readonly string[];
}

const shapeFields = (fields: Fields): ShapeField[] =>
  Object.entries(fields).map(([name, { kind, names }]: [string, Field<unknown>]) => (names ? [name, kind, names] : [name, kind]));

/** The vocabulary of this code. */
export const currentShape: Shape = {
  commands: Object.entries(operations).map(([type, { args, returns }]) => [type, shapeFields(args), shapeFields(returns)]),
  facts: Object.entries(facts).map(([type, fields]) => [type, shapeFields(fields)]),
  errnos,
};

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

interface FieldPlan {
  readonly name: string;
  readonly kind: FieldKind;
  readonly names: readonly string[] | undefined;
  /** The column's number in the block. */
  readonly column: number;
}
interface CommandPlan {
  readonly type: string;
  readonly args: readonly FieldPlan[];
  readonly returns: readonly FieldPlan[];
}
interface FactPlan {
  readonly type: string;
  readonly fields: readonly FieldPlan[];
}

const TIME = 0;
const ORIGIN = 1;
const CAUSE = 2;
const BATCH = 3;
const COMMAND = 4;
/** How many words of guest memory the step read, and the words of all steps one after the other. */
const READ_COUNT = 5;
const READS = 6;
const OUTCOME = 7;
/** How many facts the step has, and the types of all facts one after the other. */
const FACT_COUNT = 8;
const FACTS = 9;
const frameKinds: readonly ColumnKind[] = ['int', 'text', 'int', 'int', 'uint', 'uint', 'int', 'uint', 'uint', 'uint'];

/** Where every column of a block is, for a vocabulary. */
class Plan {
  readonly columns: { readonly kind: ColumnKind; readonly names: readonly string[] | undefined }[] = [];
  readonly commands: readonly CommandPlan[];
  readonly facts: readonly FactPlan[];
  readonly errnos: readonly string[];
  constructor(shape: Shape) {
    for (const kind of frameKinds) this.columns.push({ kind, names: undefined });
    const fields = (list: readonly ShapeField[]): FieldPlan[] =>
      list.map(([name, kind, names]) => {
        this.columns.push({ kind, names });
        return { name, kind, names, column: this.columns.length - 1 };
      });
    this.commands = shape.commands.map(([type, args, returns]) => ({ type, args: fields(args), returns: fields(returns) }));
    this.facts = shape.facts.map(([type, list]) => ({ type, fields: fields(list) }));
    this.errnos = shape.errnos;
  }
}
const currentPlan = new Plan(currentShape);
const planOf = (shape: Shape): Plan => (shape === currentShape ? currentPlan : new Plan(shape));

/** A piece of an image that a run has read for the first time while the steps of a block were made. */
export interface Blob {
  readonly image: number;
  readonly chunk: number;
  readonly bytes: Uint8Array;
}

/** What a host was before a step: for finding where two runs part. Digests are numbers of 32 bits, equal for equal hosts. */
export interface Digest {
  /** The step. */
  readonly seq: number;
  readonly state: number;
  readonly memory: number;
  readonly actors: number;
  /** What kernels and dom0's services hold in memory of their own. */
  readonly executors: number;
}

/**
 * Collects steps and makes the payload of a block of them.
 *
 * Outcome column: 0 accepted; otherwise 1 + 2 * errno's index, plus 1 more where the refusal has a value.
 */
export class BlockEncoder {
  private readonly columns: readonly Column[];
  private readonly time: Column;
  private readonly origin: Column;
  private readonly cause: Column;
  private readonly batch: Column;
  private readonly command: Column;
  private readonly readCount: Column;
  private readonly reads: Column;
  private readonly outcome: Column;
  private readonly factCount: Column;
  private readonly factTypes: Column;
  private readonly commands: ReadonlyMap<string, { readonly id: number; readonly args: OutFields; readonly returns: OutFields }>;
  private readonly facts: ReadonlyMap<string, { readonly id: number; readonly fields: OutFields }>;
  private readonly errnoIds: ReadonlyMap<string, number>;
  private readonly blobs: Blob[] = [];
  private readonly digests: (Omit<Digest, 'seq'> & { readonly index: number })[] = [];
  private readonly block = new ByteWriter(1 << 16);
  /** A step that can not be written is in some of the columns: nothing more comes of them. */
  private adding = false;
  count = 0;

  /** @param shape the vocabulary of the file that the block is for: today's, unless it was begun by another version */
  constructor(shape: Shape = currentShape) {
    const plan = planOf(shape);
    this.columns = plan.columns.map(({ kind, names }) => new Column(kind, names));
    const own = (number: number): Column => this.columns[number]!;
    this.time = own(TIME);
    this.origin = own(ORIGIN);
    this.cause = own(CAUSE);
    this.batch = own(BATCH);
    this.command = own(COMMAND);
    this.readCount = own(READ_COUNT);
    this.reads = own(READS);
    this.outcome = own(OUTCOME);
    this.factCount = own(FACT_COUNT);
    this.factTypes = own(FACTS);
    const fields = (list: readonly FieldPlan[]): OutFields => {
      const all = list.map(({ name, kind, column }) => ({ name, kind, column: own(column) }));
      return { numbers: all.filter(({ kind }) => kind === 'int'), others: all.filter(({ kind }) => kind !== 'int') };
    };
    this.commands = new Map(
      plan.commands.map(({ type, args, returns }, id) => [type, { id, args: fields(args), returns: fields(returns) }]),
    );
    this.facts = new Map(plan.facts.map(({ type, fields: list }, id) => [type, { id, fields: fields(list) }]));
    this.errnoIds = new Map(plan.errnos.map((name, id) => [name, id]));
  }

  /** @throws HypervisorBug for what the vocabulary has not: then no block can be made of what was added */
  add(step: Step): void {
    this.adding = true;
    const { command, outcome } = step;
    const plan = this.commands.get(command.type);
    if (!plan) throw new HypervisorBug(`the vocabulary of this log has no ${command.type}`);
    this.time.putInt(step.time);
    this.origin.put(step.origin);
    this.cause.putInt(step.cause === null ? 0 : step.seq - step.cause);
    this.batch.putInt(step.batch === undefined ? 0 : step.batch + 1);
    this.command.putUint(plan.id);
    const { reads } = step;
    this.readCount.putUint(reads.length);
    for (let i = 0; i < reads.length; i++) this.reads.putInt(reads[i]!);
    put(plan.args, command);
    if (outcome.ok) {
      this.outcome.putUint(0);
      put(plan.returns, outcome.value);
    } else {
      this.outcome.putUint(1 + 2 * this.errnoIds.get(outcome.errno)! + (outcome.value === undefined ? 0 : 1));
      if (outcome.value !== undefined) put(plan.returns, outcome.value);
    }
    const events = outcome.events ?? noFacts;
    this.factCount.putUint(events.length);
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      const known = this.facts.get(event.type);
      if (!known) throw new HypervisorBug(`the vocabulary of this log has no ${event.type}`);
      this.factTypes.putUint(known.id);
      put(known.fields, event);
    }
    this.count++;
    this.adding = false;
  }

  addBlob(blob: Blob): void {
    this.blobs.push(blob);
  }
  /** Of the moment before the step that was added last. */
  addDigest(digest: Digest): void {
    this.digests.push({ ...digest, index: this.count - 1 });
  }
  get empty(): boolean {
    return this.count === 0 && this.blobs.length === 0;
  }

  /** The payload; the encoder is ready for the next block. */
  flush(): Uint8Array {
    if (this.adding) throw new HypervisorBug('the last step could not be written to the log');
    const { block } = this;
    block.clear();
    block.uint(this.count);
    block.uint(this.columns.length);
    for (const { length } of this.columns) block.uint(length);
    for (const column of this.columns) column.moveTo(block);
    block.uint(this.blobs.length);
    for (const { image, chunk, bytes } of this.blobs) {
      block.uint(image);
      block.uint(chunk);
      block.uint(bytes.length);
      block.raw(bytes);
    }
    if (this.digests.length > 0) {
      block.uint(this.digests.length);
      for (const { index, state, memory, actors, executors } of this.digests)
        for (const number of [index, state, memory, actors, executors]) block.uint(number);
    }
    this.count = 0;
    this.blobs.length = 0;
    this.digests.length = 0;
    return block.take();
  }
}

interface OutField {
  readonly name: string;
  readonly column: Column;
}
/** Each field has a column to itself, so which is put first does not matter; most are numbers. */
interface OutFields {
  readonly numbers: readonly OutField[];
  readonly others: readonly OutField[];
}
function put({ numbers, others }: OutFields, message: object): void {
  for (let i = 0; i < numbers.length; i++) {
    const { name, column } = numbers[i]!;
    column.putInt((message as Record<string, number>)[name]!);
  }
  for (let i = 0; i < others.length; i++) {
    const { name, column } = others[i]!;
    column.put((message as Record<string, unknown>)[name]);
  }
}
const noFacts: readonly Fact[] = [];

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
      const time = cursors[TIME]!.int();
      const origin = cursors[ORIGIN]!.word();
      const back = cursors[CAUSE]!.int();
      const batch = cursors[BATCH]!.int();
      const plan = commands[cursors[COMMAND]!.uint()];
      if (!plan) return `step ${seq}: no such command`;
      const reads: number[] = [];
      for (let n = cursors[READ_COUNT]!.uint(); n > 0; n--) {
        if (n > MAX_LIST || cursors[READS]!.from.overrun) return `step ${seq}: words that were read are missing`;
        reads.push(cursors[READS]!.int());
      }
      const command = object(plan.type, plan.args);
      const code = cursors[OUTCOME]!.uint();
      const value = code === 0 || code % 2 === 0 ? object(undefined, plan.returns) : undefined;
      const events: unknown[] = [];
      for (let n = cursors[FACT_COUNT]!.uint(); n > 0; n--) {
        if (n > MAX_LIST || cursors[FACTS]!.from.overrun) return `step ${seq}: facts are missing`;
        const fact = factPlans[cursors[FACTS]!.uint()];
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
    const counts = cursors[FACT_COUNT]!;
    const types = cursors[FACTS]!;
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
