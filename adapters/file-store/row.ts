// One step as bytes, field by field as the vocabulary has it, with the blobs that were read for it: what a sidecar's rows hold.

import type { Blob, Digest } from '../../events/block.ts';
import { ByteReader, type ByteWriter } from '../../events/bytes.ts';
import { currentShape, type FieldPlan, planOf, type Shape, type ShapeField } from '../../events/shape.ts';
import type { Fact, Step } from '../../events/vocabulary.ts';

export interface Row {
  readonly blobs: readonly Blob[];
  readonly step: Step;
  /** Of the host before the step, where it was taken. */
  readonly digest?: Digest | undefined;
}

/** No list is longer than this: a row that says so is not to be believed. */
const MAX_LIST = 1 << 20;

const plan = planOf(currentShape);

/**
 * Writes a row. Fields as in the columns of a block (docs/log-format.md), but each by itself: an int is a *signed* number and not a
 * difference, a text is always its length and its bytes.
 */
export function putRow(out: ByteWriter, { step, blobs, digest }: Row): void {
  out.uint(blobs.length);
  for (const { image, chunk, bytes } of blobs) {
    out.uint(image);
    out.uint(chunk);
    out.uint(bytes.length);
    out.raw(bytes);
  }
  const { command, outcome, reads } = step;
  const { id, args, returns } = plan.command.get(command.type)!;
  out.int(step.time);
  out.string(step.origin);
  out.int(step.cause === null ? 0 : step.seq - step.cause);
  out.uint(step.batch === undefined ? 0 : step.batch + 1);
  out.uint(id);
  out.uint(reads.length);
  for (let i = 0; i < reads.length; i++) out.int(reads[i]!);
  putFields(out, args, command);
  if (outcome.ok) out.uint(0);
  else out.uint(1 + 2 * plan.errno.get(outcome.errno)! + (outcome.value === undefined ? 0 : 1));
  if (outcome.value !== undefined) putFields(out, returns, outcome.value);
  const events = outcome.events ?? noFacts;
  out.uint(events.length);
  for (let i = 0; i < events.length; i++) {
    const event = events[i]!;
    const fact = plan.fact.get(event.type)!;
    out.uint(fact.id);
    putFields(out, fact.fields, event);
  }
  if (!digest) return;
  for (const number of [digest.state, digest.memory, digest.actors, digest.executors]) out.uint(number);
}
const noFacts: readonly Fact[] = [];

function putFields(out: ByteWriter, fields: readonly FieldPlan[], message: object): void {
  for (let i = 0; i < fields.length; i++) {
    const { name, kind, names } = fields[i]!;
    const value = (message as Record<string, unknown>)[name];
    switch (kind) {
      case 'int':
        out.int(value as number);
        break;
      case 'bool':
        out.uint(value ? 1 : 0);
        break;
      case 'name':
        out.uint(names!.indexOf(value as string));
        break;
      case 'text':
        out.string(value as string);
        break;
      case 'bytes':
        out.uint((value as Uint8Array).length);
        out.raw(value as Uint8Array);
        break;
      case 'ints':
        out.uint((value as readonly number[]).length);
        for (const number of value as readonly number[]) out.int(number);
        break;
      case 'texts':
        out.uint((value as readonly string[]).length);
        for (const word of value as readonly string[]) out.string(word);
    }
  }
}

/** Reads a row by the vocabulary of its log; undefined where the bytes are none. */
export function takeRow(bytes: Uint8Array, seq: number, shape: Shape = currentShape): Row | undefined {
  const from = new ByteReader(bytes);
  const blobs: Blob[] = [];
  for (let n = from.uint(); n > 0; n--) {
    if (from.rest <= 0) return undefined;
    blobs.push({ image: from.uint(), chunk: from.uint(), bytes: from.raw(from.uint()).slice() });
  }
  const time = from.int();
  const origin = from.string();
  const back = from.int();
  const batch = from.uint();
  const command = shape.commands[from.uint()];
  if (!command) return undefined;
  const reads = takeInts(from);
  const asked = takeFields(from, command[1], { type: command[0] });
  const code = from.uint();
  const errno = code === 0 ? undefined : shape.errnos[(code - 1) >> 1];
  if (code > 0 && errno === undefined) return undefined;
  const value = code === 0 || code % 2 === 0 ? takeFields(from, command[2], {}) : undefined;
  const events: object[] = [];
  for (let n = from.uint(); n > 0; n--) {
    const fact = shape.facts[from.uint()];
    if (!fact || from.rest < 0 || n > MAX_LIST) return undefined;
    events.push(takeFields(from, fact[1], { type: fact[0] }));
  }
  const digest =
    from.rest > 0 ? { seq, state: from.uint(), memory: from.uint(), actors: from.uint(), executors: from.uint() } : undefined;
  if (from.rest !== 0) return undefined;
  const outcome =
    errno === undefined
      ? { ok: true, value, events }
      : { ok: false, errno, ...(value && { value }), ...(events.length > 0 && { events }) };
  const cause = back === 0 ? null : seq - back;
  const step = { seq, time, origin, cause, ...(batch > 0 && { batch: batch - 1 }), command: asked, reads, outcome };
  return { blobs, step: step as unknown as Step, ...(digest && { digest }) };
}

function takeFields(from: ByteReader, fields: readonly ShapeField[], into: Record<string, unknown>): object {
  for (const [name, kind, names] of fields) into[name] = takeValue(from, kind, names);
  return into;
}

function takeValue(from: ByteReader, kind: ShapeField[1], names: readonly string[] | undefined): unknown {
  switch (kind) {
    case 'int':
      return from.int();
    case 'bool':
      return from.uint() === 1;
    case 'name':
      return names![from.uint()];
    case 'text':
      return from.string();
    case 'bytes':
      return from.raw(from.uint()).slice();
    case 'ints':
      return takeInts(from);
    case 'texts': {
      const list: string[] = [];
      for (let n = Math.min(from.uint(), MAX_LIST); n > 0 && from.rest > 0; n--) list.push(from.string());
      return list;
    }
  }
}

function takeInts(from: ByteReader): number[] {
  const list: number[] = [];
  for (let n = Math.min(from.uint(), MAX_LIST); n > 0 && from.rest > 0; n--) list.push(from.int());
  return list;
}
