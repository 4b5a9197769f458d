// Steps to columns and back: one column for each field of each message. By field, never by looking at a value: guests choose values.
import { ByteReader, ByteWriter } from './bytes.ts';
import { type Errno, errnos } from './errno.ts';
import type { Field, FieldKind, Fields } from './schema.ts';
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

/** What a column holds: a field of a message, or (`uint`) a small number of the step itself. */
type ColumnKind = FieldKind | 'uint';

const NO_NUMBERS = new Float64Array(0);

/** Values of one column of a block, kept until the block is sealed; encoding them at once keeps the inner loops tight. */
class Column {
  readonly numeric: boolean;
  private readonly kind: ColumnKind;
  private readonly names: Map<string, number> | undefined;
  /** Room is made when something comes: a block has values of few of all columns. */
  private numbers = NO_NUMBERS;
  private values: unknown[] = [];
  private count = 0;
  /** Whether any value differs from 0, or from an empty list: a column of nothing else takes no room. */
  private used = false;
  constructor(kind: ColumnKind, names?: readonly string[]) {
    this.kind = kind;
    this.numeric = kind === 'int' || kind === 'uint';
    this.names = names ? new Map(names.map((name, i) => [name, i])) : undefined;
  }
  /** For numeric columns. */
  putNumber(value: number): void {
    const { count } = this;
    if (count === this.numbers.length) this.grow();
    this.numbers[count] = value;
    this.count = count + 1;
    if (value !== 0) this.used = true;
  }
  put(value: unknown): void {
    switch (this.kind) {
      case 'int':
      case 'uint':
        this.putNumber(value as number);
        return;
      case 'name':
        this.putNumber(this.names!.get(value as string)!);
        return;
      case 'bool':
        this.putNumber(value ? 1 : 0);
        return;
      case 'bytes':
        this.used = true;
        this.values.push((value as Uint8Array).slice());
        return;
      case 'text':
        this.used = true;
        this.values.push(value);
        return;
      default:
        if ((value as readonly unknown[]).length > 0) this.used = true;
        this.values.push(value);
    }
  }
  encode(out: ByteWriter): void {
    if (this.used) this.encodeValues(out);
    this.used = false;
    this.count = 0;
    if (this.values.length > 0) this.values.length = 0;
  }
  private encodeValues(out: ByteWriter): void {
    switch (this.kind) {
      case 'int':
        out.deltas(this.numbers, this.count);
        return;
      case 'uint':
      case 'name':
      case 'bool':
        out.uints(this.numbers, this.count);
        return;
      case 'text': {
        const words = new Map<string, number>();
        let last: unknown;
        let known = 0;
        for (const word of this.values) {
          // The same word again, as one origin's steps have it, needs no looking up.
          if (word === last) out.uint(known);
          else {
            putWord(out, words, word as string);
            last = word;
            known = words.get(word as string)!;
          }
        }
        return;
      }
      case 'texts': {
        const words = new Map<string, number>();
        for (const list of this.values as readonly (readonly string[])[]) {
          out.uint(list.length);
          for (const word of list) putWord(out, words, word);
        }
        return;
      }
      case 'ints':
        for (const list of this.values as readonly (readonly number[])[]) {
          out.uint(list.length);
          for (let i = 0; i < list.length; i++) out.int(list[i]!);
        }
        return;
      case 'bytes':
        for (const chunk of this.values as readonly Uint8Array[]) {
          out.uint(chunk.length);
          out.raw(chunk);
        }
    }
  }
  private grow(): void {
    const grown = new Float64Array(this.numbers.length * 4 || 256);
    grown.set(this.numbers);
    this.numbers = grown;
  }
}

/** A word that the column has had before in this block is its number; a new one follows a 0. */
function putWord(out: ByteWriter, words: Map<string, number>, word: string): void {
  const known = words.get(word);
  if (known !== undefined) {
    out.uint(known);
    return;
  }
  words.set(word, words.size + 1);
  out.uint(0);
  out.string(word);
}

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
  private readonly columns = currentPlan.columns.map(({ kind, names }) => new Column(kind, names));
  private readonly time = this.columns[TIME]!;
  private readonly origin = this.columns[ORIGIN]!;
  private readonly cause = this.columns[CAUSE]!;
  private readonly batch = this.columns[BATCH]!;
  private readonly command = this.columns[COMMAND]!;
  private readonly readCount = this.columns[READ_COUNT]!;
  private readonly reads = this.columns[READS]!;
  private readonly outcome = this.columns[OUTCOME]!;
  private readonly factCount = this.columns[FACT_COUNT]!;
  private readonly factTypes = this.columns[FACTS]!;
  private readonly commands = currentPlan.commands.map(({ args, returns }) => ({
    args: this.fields(args),
    returns: this.fields(returns),
  }));
  private readonly facts = currentPlan.facts.map(({ fields }) => this.fields(fields));
  private readonly commandIds = new Map(currentPlan.commands.map(({ type }, id) => [type, id]));
  private readonly factIds = new Map(currentPlan.facts.map(({ type }, id) => [type, id]));
  private readonly errnoIds = new Map<string, number>(errnos.map((name, id) => [name, id]));
  private readonly blobs: Blob[] = [];
  private readonly digests: (Omit<Digest, 'seq'> & { readonly index: number })[] = [];
  count = 0;

  add(step: Step): void {
    const { command, outcome } = step;
    const id = this.commandIds.get(command.type)!;
    const plan = this.commands[id]!;
    this.time.putNumber(step.time);
    this.origin.put(step.origin);
    this.cause.putNumber(step.cause === null ? 0 : step.seq - step.cause);
    this.batch.putNumber(step.batch === undefined ? 0 : step.batch + 1);
    this.command.putNumber(id);
    const { reads } = step;
    this.readCount.putNumber(reads.length);
    for (let i = 0; i < reads.length; i++) this.reads.putNumber(reads[i]!);
    put(plan.args, command);
    if (outcome.ok) {
      this.outcome.putNumber(0);
      put(plan.returns, outcome.value);
    } else {
      this.outcome.putNumber(1 + 2 * this.errnoIds.get(outcome.errno)! + (outcome.value === undefined ? 0 : 1));
      if (outcome.value !== undefined) put(plan.returns, outcome.value);
    }
    const events = outcome.events ?? noFacts;
    this.factCount.putNumber(events.length);
    for (let i = 0; i < events.length; i++) {
      const event = events[i]!;
      const type = this.factIds.get(event.type)!;
      this.factTypes.putNumber(type);
      put(this.facts[type]!, event);
    }
    this.count++;
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
    const head = new ByteWriter(2048);
    const body = new ByteWriter(65536);
    head.uint(this.count);
    head.uint(this.columns.length);
    let end = 0;
    for (const column of this.columns) {
      column.encode(body);
      head.uint(body.length - end);
      end = body.length;
    }
    body.uint(this.blobs.length);
    for (const { image, chunk, bytes } of this.blobs) {
      body.uint(image);
      body.uint(chunk);
      body.uint(bytes.length);
      body.raw(bytes);
    }
    if (this.digests.length > 0) {
      body.uint(this.digests.length);
      for (const { index, state, memory, actors, executors } of this.digests)
        for (const number of [index, state, memory, actors, executors]) body.uint(number);
    }
    head.raw(body.view());
    this.count = 0;
    this.blobs.length = 0;
    this.digests.length = 0;
    return head.take();
  }

  private fields(plan: readonly FieldPlan[]): OutFields {
    const all = plan.map(({ name, column }) => ({ name, column: this.columns[column]! }));
    return { numbers: all.filter(({ column }) => column.numeric), others: all.filter(({ column }) => !column.numeric) };
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
    column.putNumber((message as Record<string, number>)[name]!);
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
    this.plan = shape === currentShape ? currentPlan : new Plan(shape);
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
