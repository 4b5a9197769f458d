// Past versions of the log. There is one version number for the whole vocabulary.
import type { Step } from './vocabulary.ts';

export const FORMAT_VERSION = 1;

type Raw = Readonly<Record<string, unknown>>;

/** One entry for each past version: a step of that version in, a step of the next one out. Version 1 is the first, so there is none. */
const upcasts: Readonly<Record<number, (step: Raw) => Raw>> = {};

/** A step of an older log as this version has it. */
export function upcast(step: Step, format: number): Step {
  let raw = step as unknown as Raw;
  for (let version = format; version < FORMAT_VERSION; version++) raw = upcasts[version]!(raw);
  return raw as unknown as Step;
}
