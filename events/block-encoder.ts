// Steps to the columns of a block. By field, never by looking at a value: guests choose values.
import type { Blob, Digest } from './block.ts';
import { ByteWriter } from './bytes.ts';
import { AT_ONCE, Column } from './column.ts';
import type { Errno } from './errno.ts';
import { currentShape, type FieldPlan, frame, type Plan, planOf, type Shape } from './shape.ts';
import { HypervisorBug } from './step.ts';
import type { Fact, Step } from './vocabulary.ts';

/**
 * Collects steps and makes the payload of a block of them.
 *
 * Outcome column: 0 accepted; otherwise 1 + 2 * errno's index, plus 1 more where the refusal has a value.
 */
export class BlockEncoder {
  private readonly plan: Plan;
  /** Those that a block has had values for: a run uses few of all that there are. */
  private readonly columns: (Column | undefined)[];
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
  private readonly commands = new Map<string, Calls>();
  private readonly facts = new Map<string, Messages>();
  private readonly blobs: Blob[] = [];
  private readonly digests: (Omit<Digest, 'seq'> & { readonly index: number })[] = [];
  private readonly block = new ByteWriter(1 << 16);
  /** Steps that are in no column yet: many at once take far less time. */
  private readonly waiting: Step[] = [];
  private waits = 0;
  /** Their messages, for those that have any. */
  private readonly touched: Messages[] = [];
  /** A step that can not be written is in some of the columns: nothing more comes of them. */
  private adding = false;
  count = 0;

  /** @param shape the vocabulary of the file that the block is for: today's, unless it was begun by another version */
  constructor(shape: Shape = currentShape) {
    this.plan = planOf(shape);
    this.columns = new Array(this.plan.columns.length).fill(undefined);
    this.time = this.column(frame.time);
    this.origin = this.column(frame.origin);
    this.cause = this.column(frame.cause);
    this.batch = this.column(frame.batch);
    this.command = this.column(frame.command);
    this.readCount = this.column(frame.readCount);
    this.reads = this.column(frame.reads);
    this.outcome = this.column(frame.outcome);
    this.factCount = this.column(frame.factCount);
    this.factTypes = this.column(frame.facts);
  }

  private column(number: number): Column {
    const { kind, names } = this.plan.columns[number]!;
    this.columns[number] ??= new Column(kind, names);
    return this.columns[number];
  }
  private messages(id: number, fields: readonly FieldPlan[]): Messages {
    return new Messages(
      id,
      fields.map(({ name, column }) => ({ name, column: this.column(column) })),
      this.touched,
    );
  }
  private callsOf(type: string): Calls {
    let calls = this.commands.get(type);
    if (calls) return calls;
    const plan = this.plan.command.get(type);
    if (!plan) throw new HypervisorBug(`the vocabulary of this log has no ${type}`);
    calls = { args: this.messages(plan.id, plan.args), returns: this.messages(plan.id, plan.returns) };
    this.commands.set(type, calls);
    return calls;
  }
  private factsOf(type: string): Messages {
    let facts = this.facts.get(type);
    if (facts) return facts;
    const plan = this.plan.fact.get(type);
    if (!plan) throw new HypervisorBug(`the vocabulary of this log has no ${type}`);
    facts = this.messages(plan.id, plan.fields);
    this.facts.set(type, facts);
    return facts;
  }
  private errnoId(errno: Errno): number {
    const id = this.plan.errno.get(errno);
    if (id === undefined) throw new HypervisorBug(`the vocabulary of this log has no ${errno}`);
    return id;
  }

  /**
   * Takes a step, which nobody changes any more.
   *
   * @throws HypervisorBug for what the vocabulary has not, now or with a later step: then no block can be made of what was added
   */
  add(step: Step): void {
    this.count++;
    this.waiting[this.waits++] = step;
    if (this.waits === AT_ONCE) this.putWaiting();
  }

  /** Puts what waits into the columns, one column after the other. */
  private putWaiting(): void {
    this.adding = true;
    const { waiting, waits: length, touched } = this;
    // One after the other is often of the same type.
    let type: string | undefined;
    let calls: Calls | undefined;
    let factType: string | undefined;
    let facts: Messages | undefined;
    for (let i = 0; i < length; i++) {
      const { seq, time, origin, cause, batch, command, reads, outcome } = waiting[i]!;
      if (!calls || command.type !== type) {
        type = command.type;
        calls = this.callsOf(type);
      }
      times[i] = time;
      this.origin.put(origin);
      causes[i] = cause === null ? 0 : seq - cause;
      batches[i] = batch === undefined ? 0 : batch + 1;
      commandIds[i] = calls.args.id;
      readCounts[i] = reads.length;
      for (let k = 0; k < reads.length; k++) this.reads.putInt(reads[k]!);
      calls.args.add(command);
      outcomes[i] = outcome.ok ? 0 : 1 + 2 * this.errnoId(outcome.errno) + (outcome.value === undefined ? 0 : 1);
      if (outcome.value !== undefined) calls.returns.add(outcome.value);
      const events = outcome.events ?? noFacts;
      factCounts[i] = events.length;
      for (let k = 0; k < events.length; k++) {
        const event = events[k]!;
        if (!facts || event.type !== factType) {
          factType = event.type;
          facts = this.factsOf(factType);
        }
        this.factTypes.putUint(facts.id);
        facts.add(event);
      }
    }
    this.time.putInts(times, length);
    this.cause.putInts(causes, length);
    this.batch.putInts(batches, length);
    this.command.putUints(commandIds, length);
    this.readCount.putUints(readCounts, length);
    this.outcome.putUints(outcomes, length);
    this.factCount.putUints(factCounts, length);
    for (let i = 0; i < touched.length; i++) touched[i]!.put();
    touched.length = 0;
    this.waits = 0;
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
    if (!this.adding) this.putWaiting();
    if (this.adding) throw new HypervisorBug('the last step could not be written to the log');
    const { block } = this;
    block.clear();
    block.uint(this.count);
    block.uint(this.columns.length);
    for (const column of this.columns) block.uint(column?.length ?? 0);
    for (const column of this.columns) column?.moveTo(block);
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
// What the steps that wait have in the columns of the step itself.
const times = new Float64Array(AT_ONCE);
const causes = new Float64Array(AT_ONCE);
const batches = new Float64Array(AT_ONCE);
const commandIds = new Int32Array(AT_ONCE);
const readCounts = new Int32Array(AT_ONCE);
const outcomes = new Int32Array(AT_ONCE);
const factCounts = new Int32Array(AT_ONCE);

interface Calls {
  readonly args: Messages;
  readonly returns: Messages;
}
/** Messages of one type that wait, and the columns of its fields. */
class Messages {
  /** The type's number in the vocabulary. */
  readonly id: number;
  private readonly fields: readonly { readonly name: string; readonly column: Column }[];
  private readonly touched: Messages[];
  private readonly list: object[] = [];
  private count = 0;
  constructor(id: number, fields: readonly { readonly name: string; readonly column: Column }[], touched: Messages[]) {
    this.id = id;
    this.fields = fields;
    this.touched = touched;
  }
  add(message: object): void {
    if (this.count === 0) this.touched.push(this);
    this.list[this.count++] = message;
  }
  put(): void {
    const { fields, list, count } = this;
    for (let i = 0; i < fields.length; i++) {
      const { name, column } = fields[i]!;
      for (let from = 0; from < count; from += AT_ONCE) column.putField(list, from, Math.min(count, from + AT_ONCE), name);
    }
    this.count = 0;
  }
}
const noFacts: readonly Fact[] = [];
