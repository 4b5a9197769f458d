// How a sub-operation's structure becomes a command, and its answer the structure again: declared as data.
import { type Errno, errnoNumber } from '../../events/errno.ts';
import type { Field } from '../../events/schema.ts';
import { type Command, type CommandType, type Outcome, operations } from '../../events/vocabulary.ts';
import type { Struct } from '../abi/struct.ts';
import { type Call, done, type Result } from './call.ts';
import type { Plain } from './guest-memory.ts';

/** What stands for an argument: a field of the structure by its path, a constant, or what follows from the structure and the call. */
export type Source = string | { readonly is: number | boolean | string } | ((given: Plain, call: Call) => unknown);
/** What a `Source` answers where a pointer in the structure leads nowhere, or where what it says is refused: the name of the error. */
export class Refusal {
  readonly errno: Errno;
  constructor(errno: Errno) {
    this.errno = errno;
  }
}
export const EFAULT = new Refusal('EFAULT');

export interface Codec {
  /** The operation of the vocabulary. */
  readonly command: CommandType;
  /** What the guest's pointer points at; left out where it is not looked at. */
  // biome-ignore lint/suspicious/noExplicitAny: any structure
  readonly struct?: Struct<any> | undefined;
  /**
   * Where the operation's arguments come from. What is left out is the field of the same name; `domid` is always the caller, and so is `vcpu`
   * where the structure has no such field.
   */
  readonly args?: Readonly<Record<string, Source>>;
  /** What stood before the structure, for its sources. */
  readonly head?: Plain;
  /** Whether what an operation answers although it refuses is written back as well. */
  readonly always?: boolean;
  /** What is written back when it is done: fields that the answer has by the same name, or what follows from the answer. */
  readonly out?: readonly string[] | ((answer: Plain, given: Plain, call: Call) => Plain);
  /**
   * Writes of another kind (into lists of the guest's); false where a pointer leads nowhere, or the name of the error where there is too
   * little room.
   */
  readonly write?: (answer: Plain, given: Plain, call: Call) => boolean | Errno;
  /** What the call returns when it is done: a field of the answer; 0 where left out. */
  readonly rc?: string;
}
export type Codecs = Readonly<Record<number, Codec>>;

export const codec = (command: CommandType, struct?: Codec['struct'], rest: Omit<Codec, 'command' | 'struct'> = {}): Codec => ({
  command,
  struct,
  ...rest,
});

/** A sub-operation with one structure: read, decided, written back. */
export function perform(call: Call, codec: Codec, pointer: bigint, cmd: number): Result {
  const given = codec.struct ? call.guest.read(codec.struct, pointer) : {};
  if (given === undefined) return call.refuse('EFAULT', cmd);
  const command = commandOf(call, codec, given);
  if (command instanceof Refusal) return call.refuse(command.errno, cmd);
  const outcome = call.step(command);
  if (outcome.ok) return done(finish(call, codec, given, outcome, pointer));
  if (codec.always && outcome.value !== undefined && finish(call, codec, given, outcome, pointer) < 0)
    return done(errnoNumber('EFAULT'));
  return outcome.errno === 'ERESTART' ? call.again() : done(errnoNumber(outcome.errno));
}

/** Writes back what was asked for, and answers what the call returns. */
export function finish(call: Call, codec: Codec, given: Plain, outcome: Outcome, pointer: bigint): number {
  const answer = (outcome.value ?? {}) as Plain;
  if (codec.out && codec.struct && !call.guest.write(codec.struct, pointer, resultsOf(codec, answer, given, call)))
    return errnoNumber('EFAULT');
  const written = codec.write?.(answer, given, call) ?? true;
  if (written !== true) return errnoNumber(written || 'EFAULT');
  return codec.rc === undefined ? 0 : Number(answer[codec.rc]);
}

function resultsOf(codec: Codec, answer: Plain, given: Plain, call: Call): Plain {
  const { out } = codec;
  if (typeof out === 'function') return out(answer, given, call);
  const shape = codec.struct![call.guest.width].read(new Uint8Array(codec.struct![call.guest.width].size)) as Plain;
  const fields = operations[codec.command].returns as Readonly<Record<string, Field<unknown>>>;
  return Object.fromEntries((out ?? []).map((name) => [name, like(shape[name], answer[name], fields[name])]));
}
/** A field of an answer as the structure has it: names by their numbers, texts of 64 bits in 64 bits. */
function like(shape: unknown, value: unknown, field: Field<unknown> | undefined): unknown {
  if (field?.kind === 'name') return field.names!.indexOf(value as string);
  if (typeof shape === 'bigint') return BigInt(value as number | string);
  return field?.kind === 'bool' ? Number(value) : value;
}

/** The command that a structure stands for. */
export function commandOf(call: Call, { command: type, args = {}, head = {} }: Codec, given: Plain): Command | Refusal {
  const { domid, vcpu } = call.caller;
  const command: Record<string, unknown> = { type };
  for (const [name, field] of Object.entries(operations[type].args as Readonly<Record<string, Field<unknown>>>)) {
    const source = args[name];
    let value: unknown;
    if (name === 'domid') value = domid;
    else if (source !== undefined) value = sourced(source, { ...given, ...head }, call);
    else if (name in given) value = given[name];
    else if (name === 'vcpu') value = vcpu;
    if (value instanceof Refusal) return value;
    const fitting = fitted(field, value);
    if (fitting instanceof Refusal) return fitting;
    command[name] = fitting;
  }
  return command as unknown as Command;
}

function sourced(source: Source, given: Plain, call: Call): unknown {
  if (typeof source === 'function') return source(given, call);
  if (typeof source === 'object') return source.is;
  return source.split('.').reduce<unknown>((value, key) => (value as Plain)[key], given);
}

/** A value as a field of the vocabulary has it. */
function fitted(field: Field<unknown>, value: unknown): unknown {
  switch (field.kind) {
    case 'int':
      return toNumber(value as number | bigint);
    case 'bool':
      return typeof value === 'boolean' ? value : value !== 0 && value !== 0n;
    case 'name':
      return typeof value === 'string' ? value : (field.names![toNumber(value as number | bigint)] ?? new Refusal('EINVAL'));
    case 'text':
      return typeof value === 'string' ? value : `0x${BigInt.asUintN(64, BigInt(value as number | bigint)).toString(16)}`;
    default:
      return value;
  }
}

const MAX = BigInt(Number.MAX_SAFE_INTEGER);
/**
 * 64 bits as a number of the vocabulary: with a sign, so that the upper half of the address space, and page numbers and counts that mean
 * "none" or "all", are below zero. What a double can not hold either way is too much for any use that Xen makes of it.
 */
export function toNumber(value: number | bigint): number {
  if (typeof value === 'number') return value;
  const signed = BigInt.asIntN(64, value);
  return signed > MAX || signed < -MAX ? Number.MAX_SAFE_INTEGER : Number(signed);
}
/** A field of 64 bits that has no sign: a time. */
export const unsigned =
  (name: string): Source =>
  (given) =>
    (given[name] as bigint) > MAX ? Number.MAX_SAFE_INTEGER : Number(given[name] as bigint);
