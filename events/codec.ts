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

/** Values of one column of a block, kept until the block is sealed; encoding them at once keeps the inner loops tight. */
class Column {
  private readonly kind: ColumnKind;
  private readonly names: Map<string, number> | undefined;
  private numbers = new Float64Array(64);
  private strings: string[] = [];
  private lists: (readonly (number | string)[])[] = [];
  private chunks: Uint8Array[] = [];
  private count = 0;
  constructor(kind: ColumnKind, names?: readonly string[]) {
    this.kind = kind;
    this.names = names ? new Map(names.map((name, i) => [name, i])) : undefined;
  }
  put(value: unknown): void {
    switch (this.kind) {
      case 'int':
      case 'uint':
        if (this.count === this.numbers.length) this.grow();
        this.numbers[this.count++] = value as number;
        return;
      case 'name':
        if (this.count === this.numbers.length) this.grow();
        this.numbers[this.count++] = this.names!.get(value as string)!;
        return;
      case 'bool':
        if (this.count === this.numbers.length) this.grow();
        this.numbers[this.count++] = value ? 1 : 0;
        return;
      case 'text':
        this.strings.push(value as string);
        return;
      case 'bytes':
        this.chunks.push((value as Uint8Array).slice());
        return;
      default:
        this.lists.push(value as readonly (number | string)[]);
    }
  }
  encode(out: ByteWriter): void {
    const { numbers, count } = this;
    switch (this.kind) {
      case 'int': {
        let last = 0;
        for (let i = 0; i < count; i++) {
          const value = numbers[i]!;
          const step = value - last;
          if (Number.isSafeInteger(step)) out.int(step);
          else {
            out.int(-0); // too far apart: the value itself follows
            out.int(value);
          }
          last = value;
        }
        break;
      }
      case 'uint':
      case 'name':
      case 'bool':
        for (let i = 0; i < count; i++) out.uint(numbers[i]!);
        break;
      case 'text': {
        const words = new Map<string, number>();
        for (const word of this.strings) putWord(out, words, word);
        break;
      }
      case 'texts': {
        const words = new Map<string, number>();
        for (const list of this.lists) {
          out.uint(list.length);
          for (const word of list) putWord(out, words, word as string);
        }
        break;
      }
      case 'ints':
        for (const list of this.lists) {
          out.uint(list.length);
          for (const value of list) out.int(value as number);
        }
        break;
      case 'bytes':
        for (const chunk of this.chunks) {
          out.uint(chunk.length);
          out.raw(chunk);
        }
        break;
    }
    this.count = 0;
    this.strings.length = 0;
    this.lists.length = 0;
    this.chunks.length = 0;
  }
  private grow(): void {
    const grown = new Float64Array(this.numbers.length * 2);
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
  private readonly words: string[] = [];
  constructor(from: ByteReader, kind: ColumnKind, names?: readonly string[]) {
    this.from = from;
    this.kind = kind;
    this.names = names;
  }
  int(): number {
    const step = this.from.int();
    this.last = Object.is(step, -0) ? this.from.int() : this.last + step;
    return this.last;
  }
  uint(): number {
    return this.from.uint();
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
        return this.from.uint();
      case 'name':
        return this.names![this.from.uint()];
      case 'bool':
        return this.from.uint() === 1;
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
    return Math.min(this.from.uint(), this.from.rest);
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
const READS = 5;
const OUTCOME = 6;
const FACTS = 7;
const frameKinds: readonly ColumnKind[] = ['int', 'text', 'int', 'int', 'uint', 'ints', 'uint', 'ints'];

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

/**
 * Collects steps and makes the payload of a block of them.
 *
 * Outcome column: 0 accepted; otherwise 1 + 2 * errno's index, plus 1 more where the refusal has a value.
 */
export class BlockEncoder {
  private readonly columns = currentPlan.columns.map(({ kind, names }) => new Column(kind, names));
  private readonly commandIds = new Map(currentPlan.commands.map(({ type }, id) => [type, id]));
  private readonly factIds = new Map(currentPlan.facts.map(({ type }, id) => [type, id]));
  private readonly errnoIds = new Map<string, number>(errnos.map((name, id) => [name, id]));
  private readonly blobs: Blob[] = [];
  count = 0;

  add(step: Step): void {
    const { columns } = this;
    const { command, outcome } = step;
    const id = this.commandIds.get(command.type)!;
    const plan = currentPlan.commands[id]!;
    columns[TIME]!.put(step.time);
    columns[ORIGIN]!.put(step.origin);
    columns[CAUSE]!.put(step.cause === null ? 0 : step.seq - step.cause);
    columns[BATCH]!.put(step.batch === undefined ? 0 : step.batch + 1);
    columns[COMMAND]!.put(id);
    columns[READS]!.put(step.reads);
    this.message(plan.args, command);
    if (outcome.ok) {
      columns[OUTCOME]!.put(0);
      this.message(plan.returns, outcome.value);
    } else {
      columns[OUTCOME]!.put(1 + 2 * this.errnoIds.get(outcome.errno)! + (outcome.value === undefined ? 0 : 1));
      if (outcome.value !== undefined) this.message(plan.returns, outcome.value);
    }
    const events = outcome.events;
    if (events === undefined || events.length === 0) columns[FACTS]!.put(noFacts);
    else {
      const kinds: number[] = [];
      for (const event of events) {
        const kind = this.factIds.get(event.type)!;
        kinds.push(kind);
        this.message(currentPlan.facts[kind]!.fields, event);
      }
      columns[FACTS]!.put(kinds);
    }
    this.count++;
  }

  addBlob(blob: Blob): void {
    this.blobs.push(blob);
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
    head.raw(body.view());
    this.count = 0;
    this.blobs.length = 0;
    return head.take();
  }

  private message(plan: readonly FieldPlan[], message: object): void {
    for (let i = 0; i < plan.length; i++) {
      const { name, column } = plan[i]!;
      this.columns[column]!.put((message as Record<string, unknown>)[name]);
    }
  }
}
const noFacts: readonly number[] = [];

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
      const reads = cursors[READS]!.ints();
      const command = object(plan.type, plan.args);
      const code = cursors[OUTCOME]!.uint();
      const value = code === 0 || code % 2 === 0 ? object(undefined, plan.returns) : undefined;
      const events: unknown[] = [];
      for (const kind of cursors[FACTS]!.ints()) {
        const fact = factPlans[kind];
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
    return cursors.some((cursor) => cursor.from.overrun || cursor.from.rest > 0) ? 'a column has not the length it should' : steps;
  }

  /** Only the facts, for a fold: the columns of commands, reads and answers are skipped unread. */
  facts(payload: Uint8Array, firstSeq: number, apply: (fact: Fact, seq: number) => void): string | undefined {
    const block = this.open(payload);
    if (typeof block === 'string') return block;
    const { cursors, count } = block;
    const plans = this.plan.facts.map(({ type, fields }) => ({
      type,
      fields: fields.map(({ name, column }) => ({ name, cursor: cursors[column]! })),
    }));
    const kinds = cursors[FACTS]!.from;
    for (let seq = firstSeq; seq < firstSeq + count; seq++)
      for (let n = kinds.uint(); n > 0; n--) {
        const plan = plans[kinds.int()];
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
    const block = this.open(payload);
    if (typeof block === 'string') return [];
    const { rest } = block;
    const blobs: Blob[] = [];
    for (let n = rest.uint(); n > 0 && !rest.overrun; n--) {
      const image = rest.uint();
      const chunk = rest.uint();
      blobs.push({ image, chunk, bytes: rest.raw(rest.uint()).slice() });
    }
    return blobs;
  }

  private open(payload: Uint8Array): { cursors: Cursor[]; count: number; rest: ByteReader } | string {
    const head = new ByteReader(payload);
    const count = head.uint();
    const columns = head.uint();
    if (columns !== this.plan.columns.length) return `${columns} columns instead of ${this.plan.columns.length}`;
    const lengths: number[] = [];
    for (let i = 0; i < columns; i++) lengths.push(head.uint());
    const cursors = this.plan.columns.map(
      ({ kind, names }, i) => new Cursor(new ByteReader(head.raw(lengths[i]!)), kind, names),
    );
    return head.overrun ? 'the columns are longer than the block' : { cursors, count, rest: new ByteReader(head.raw(head.rest)) };
  }
}
