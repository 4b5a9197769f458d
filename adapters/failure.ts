/** Something outside does not do: what, where, and what to do. The program says it in one line and ends with `exitCode`. */
export class Failure extends Error {
  override readonly name = 'Failure';
  readonly exitCode: number;
  constructor(what: string, where: string, advice: string, exitCode = 1) {
    super(`${what} (${where}): ${advice}`);
    this.exitCode = exitCode;
  }
}

/** A command line that makes no sense, whatever the run: what, which words, and what to write. */
export const misuse = (what: string, where: string, advice: string): Failure => new Failure(what, where, advice, 2);

/** What a call of the operating system failed with, in words: `error` is what node:fs throws. */
export function systemFailure(verb: string, path: string, error: unknown, exitCode = 1): Failure {
  const { code } = (error ?? {}) as { code?: unknown };
  const [what, advice] = reasons[String(code)] ?? [String(code ?? error), 'see what the system says about it'];
  return new Failure(`can not ${verb}: ${what}`, path, advice, exitCode);
}
/** What work with files has failed with: a call of the system as a `Failure`, anything else as it is. */
export function failureOf(verb: string, path: string, error: unknown): unknown {
  return typeof (error as { code?: unknown } | undefined)?.code === 'string'
    ? systemFailure(verb, failedAt(error, path), error)
    : error;
}

/** The file that a call failed at, where the error names it; where several stand for one that a person has named. */
export const failedAt = (error: unknown, path: string): string => {
  const named = (error as { path?: unknown } | undefined)?.path;
  return typeof named === 'string' ? named : path;
};
const reasons: Readonly<Record<string, readonly [what: string, advice: string]>> = {
  ENOENT: ['there is no such file or directory', 'correct the path'],
  EACCES: ['permission denied', 'change its permissions, or run as somebody who may'],
  EISDIR: ['it is a directory', 'name a file'],
  ENOTDIR: ['a part of the path is no directory', 'correct the path'],
  ENOSPC: ['no space is left', 'free some space, or write elsewhere'],
  EROFS: ['the file system is read-only', 'write elsewhere'],
  EEXIST: ['there is something of this name already', 'name another one, or move it away'],
  ELOOP: ['its symbolic links lead nowhere', 'correct the links'],
  ENAMETOOLONG: ['the name is too long', 'choose a shorter one'],
  EFBIG: ['the file would be larger than is allowed', 'raise the limit (ulimit -f), or write elsewhere'],
  EDQUOT: ['the disk quota is used up', 'free some space, or write elsewhere'],
  EPIPE: ['nobody reads it any more', 'let its reader go on to the end'],
  ESTALE: ['it was replaced while it was read', 'do it again'],
  MDB_MAP_FULL: ['the database is full', 'free some space, or write elsewhere'],
  MDB_CORRUPTED: ['the database is damaged', 'take another copy of it'],
  MDB_PAGE_NOTFOUND: ['the database is damaged', 'take another copy of it'],
  EMFILE: ['too many files are open', 'raise the limit (ulimit -n)'],
};
