// xenolog conformance: judges this code by a recording of the real thing.
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { profiles, type XenstoreVersion } from '../../../src/xenstore/index.ts';
import { judgeXenstore, readCorpus } from '../../../tools/conformance/xenstore.ts';
import { Failure, systemFailure } from '../../failure.ts';
import type { Output } from '../output.ts';

export interface XenstoreConformanceOptions {
  readonly xenVersion?: string;
  readonly json?: boolean;
}

/** So many mismatches are shown in words. */
const SHOWN = 10;
const DIFFERS = 1;
const UNUSABLE = 2;

/** Answers the exit status: 0 where all is as recorded, 1 where a scenario differs. */
export function xenstoreConformance(path: string, options: XenstoreConformanceOptions, output: Output): number {
  const corpus = readCorpus(readRecording(path));
  if ('problem' in corpus)
    throw new Failure(
      `not a recording: ${corpus.problem}`,
      `${path}:${corpus.line}`,
      'name a corpus of XenStore scenarios',
      UNUSABLE,
    );
  const version = options.xenVersion === undefined ? corpus.version : xenstoreVersion(options.xenVersion);
  const verdict = judgeXenstore(corpus.scenarios, version);
  const { matched, total, mismatches } = verdict;
  if (options.json) output.json(verdict);
  else {
    output.line(`${matched} of ${total} scenarios match (xenstored ${verdict.version})`);
    for (const { name, differences } of mismatches.slice(0, SHOWN)) {
      const { step, asked, recorded, got } = differences[0]!;
      output.line(`${name}, step ${step}: ${asked}`);
      output.line(`  recorded: ${recorded}`);
      output.line(`  here:     ${got}`);
    }
    if (mismatches.length > SHOWN) output.line(`and ${mismatches.length - SHOWN} more (--json has all)`);
  }
  return mismatches.length === 0 ? 0 : DIFFERS;
}

/** @throws Failure where there is no xenstored of this version */
export function xenstoreVersion(text: string): XenstoreVersion {
  const found = (Object.keys(profiles) as XenstoreVersion[]).find((name) => name === text);
  if (found) return found;
  throw new Failure('no such version', `--xen-version ${text}`, `it is one of ${Object.keys(profiles).join(', ')}`, UNUSABLE);
}

/** The text of a recording, compressed or not. @throws Failure where it can not be read */
export function readRecording(path: string): string {
  try {
    const bytes = readFileSync(path);
    return (path.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8');
  } catch (error) {
    throw systemFailure('read the recording', path, error, UNUSABLE);
  }
}
