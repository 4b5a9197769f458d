// The files of a run: RUN.xlog, then RUN.2.xlog, RUN.3.xlog ...
import { hexOf } from '../../events/bytes.ts';
import { LogError, type Part, readHeader } from '../../events/header.ts';
import { Log } from '../../events/log.ts';
import type { Source } from '../../events/source.ts';
import type { FileLayer } from './file-layer.ts';
import { sha256 } from './sha256.ts';
import { sidecarOf } from './sidecar.ts';

const EXTENSION = '.xlog';

/** Where file `number` of a run is whose first file is `path`. */
export function partPath(path: string, number: number): string {
  if (number === 1) return path;
  return path.endsWith(EXTENSION) ? `${path.slice(0, -EXTENSION.length)}.${number}${EXTENSION}` : `${path}.${number}`;
}

/** The first file's place, from that of file `number`: the same where the file has another name than it would get. */
export function firstPath(path: string, number: number): string {
  const ending = partPath(EXTENSION, number);
  if (number === 1) return path;
  if (path.endsWith(ending)) return `${path.slice(0, -ending.length)}${EXTENSION}`;
  return path.endsWith(`.${number}`) ? path.slice(0, -`.${number}`.length) : path;
}

export interface PartFile {
  readonly path: string;
  readonly source: Source;
}

export interface PartFiles {
  /** Where the first file is, or would be. */
  readonly path: string;
  readonly files: readonly PartFile[];
  /** A file that stands where the next one would be and is not it, and why, for people. */
  readonly stranger: { readonly path: string; readonly why: string; readonly isOfAnother: boolean } | undefined;
}

/**
 * The files of a run that are there, from `path` on. Undefined where that is not there.
 *
 * @throws LogError where it is no log
 */
export function findParts(path: string, layer: FileLayer): PartFiles | undefined {
  const source = layer.source(path);
  if (!source) return undefined;
  const { header, bytes } = readHeader(source);
  const run = header.part?.run ?? hexOf(sha256(bytes));
  const files: PartFile[] = [{ path, source }];
  const base = firstPath(path, header.part?.number ?? 1);
  for (let number = (header.part?.number ?? 1) + 1; ; number++) {
    const next = partPath(base, number);
    const found = layer.source(next);
    if (!found) return { path: base, files, stranger: undefined };
    const part = partOf(found);
    // What was merged into the file before it, and has not been removed yet, starts within that.
    const why =
      part?.run !== run ? 'belongs to another run' : part.first < stepsIn(files) ? 'is in the file before it' : undefined;
    if (why !== undefined) {
      found.close?.();
      return { path: base, files, stranger: { path: next, why, isOfAnother: part?.run !== run } };
    }
    files.push({ path: next, source: found });
  }
}

/** Where the last of some files of a run ends; its damage is for others to tell of. */
function stepsIn(files: readonly PartFile[]): number {
  try {
    return new Log([files.at(-1)!.source], sha256).length;
  } catch (error) {
    if (error instanceof LogError) return 0;
    throw error;
  }
}

function partOf(source: Source): Part | undefined {
  try {
    return readHeader(source).header.part;
  } catch (error) {
    if (error instanceof LogError) return undefined;
    throw error;
  }
}

/** Takes away what goes on from a run that is about to be replaced. */
export function removeParts(path: string, layer: FileLayer): void {
  for (let number = 2; ; number++) {
    const next = partPath(path, number);
    const found = layer.source(next);
    const part = found && partOf(found);
    found?.close?.();
    if (!part) return;
    layer.unlink(next);
    if (layer.read(sidecarOf(next))) layer.unlink(sidecarOf(next));
  }
}
