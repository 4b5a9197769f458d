// A scenario and the real files around it.
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { RunHeader } from '../events/log.ts';
import { version } from '../index.ts';
import {
  formatScenarioError,
  type Got,
  parseScenario,
  type ScenarioError,
  type ScenarioRun,
  toRun,
} from '../src/scenario/index.ts';
import type { Image } from '../src/storage/image.ts';
import { Failure, systemFailure } from './failure.ts';
import { type FileImage, fileImage, zeroImage } from './file-image.ts';

/** What a `Recording` is made of, and what it is to be fed with. */
export interface LoadedScenario {
  readonly header: RunHeader;
  readonly images: readonly Image[];
  readonly run: ScenarioRun;
  close(): void;
}

/** In the header of a log, the digest of a disk without content: it may be larger than anybody would like to hash. */
const ZEROS = 'zeros';

/** All that is wrong with a scenario, a line each. */
export class ScenarioFailure extends Failure {
  readonly lines: readonly string[];
  constructor(errors: readonly ScenarioError[]) {
    super(`${errors.length} mistakes in the scenario`, errors[0]!.file, 'correct them');
    this.lines = errors.map(formatScenarioError);
  }
}

/**
 * Reads a scenario and what it names, relative to its own place.
 *
 * @throws Failure where a file can not be used, and ScenarioFailure for what the scenario says
 */
export function loadScenario(path: string): LoadedScenario {
  const parsed = parseScenario(readText(path), path);
  if (!parsed.ok) throw new ScenarioFailure(parsed.errors);
  const base = dirname(path);
  const made = toRun(parsed.scenario, {
    read: (file) => got('read the file', join(base, file), (real) => new Uint8Array(readFileSync(real))),
    size: (file) => got('open the disk', join(base, file), (real) => statSync(real).size),
  });
  if (!made.ok) throw new ScenarioFailure(made.errors);

  const { run } = made;
  const open: FileImage[] = [];
  const digests: string[] = [];
  const images = run.images.map((source): Image => {
    if (source.kind === 'zeros') {
      digests.push(ZEROS);
      return zeroImage(source.sectors);
    }
    const image = fileImage(join(base, source.file));
    open.push(image);
    digests.push(image.sha256());
    return image;
  });
  const header: RunHeader = {
    xenolog: version,
    seed: run.seed,
    xen_version: run.config.xen_version,
    host: run.config,
    images: run.images.map((source, i) => ({ path: source.path, sectors: source.sectors, sha256: digests[i]! })),
  };
  return { header, images, run, close: () => open.forEach((image) => void image.close()) };
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw systemFailure('read the scenario', path, error);
  }
}

function got<T>(verb: string, path: string, read: (path: string) => T): Got<T> {
  try {
    return { ok: true, value: read(path) };
  } catch (error) {
    return { ok: false, message: systemFailure(verb, path, error).message };
  }
}
