// Past versions of the log. There is one version number for the whole vocabulary.
import type { Shape } from './shape.ts';
import type { Step } from './vocabulary.ts';

/**
 * Version 1 was the first. Version 2 has runs of several files, digests of the host between steps, and what `embed` says; its steps
 * are those of version 1.
 */
export const FORMAT_VERSION = 2;

/**
 * Of the state that digests are of and that a later file of a run starts from: tables, records, what actors keep in mind. What became of
 * it from version to version is in replay/state-changes.ts; files before there were numbers are of version 1.
 */
export const STATE_VERSION = 1;

/**
 * Facts that had another name in vocabularies before this one, with the same fields: a log says them by the names that it was written
 * with, and is read with those of today.
 */
const renamed: Readonly<Record<string, string>> = { 'vcpu.nmi_raised': 'vcpu.nmi_sent' };

/** The vocabulary that a log carries, by today's names. */
export function namedAsToday(shape: Shape): Shape {
  return { ...shape, facts: shape.facts.map(([type, fields]) => [renamed[type] ?? type, fields]) };
}

type Raw = Readonly<Record<string, unknown>>;

/** An entry for each past version whose steps had another form: such a step in, one of the next version out. */
const upcasts: Readonly<Record<number, (step: Raw) => Raw>> = {};

/** A step of an older log as this version has it. */
export function upcast(step: Step, format: number): Step {
  let raw = step as unknown as Raw;
  for (let version = format; version < FORMAT_VERSION; version++) raw = upcasts[version]?.(raw) ?? raw;
  return raw as unknown as Step;
}

/** Whether steps of this version have another form than ours. */
export function needsUpcast(format: number): boolean {
  for (let version = format; version < FORMAT_VERSION; version++) if (upcasts[version]) return true;
  return false;
}
