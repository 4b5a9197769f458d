// One writer for a run: RUN.xlog-lock names the process that has it.
import { Failure, systemFailure } from '../failure.ts';
import { codeOf, type FileLayer, nodeFiles } from './file-layer.ts';

/** Where the lock of a log is. */
export const lockOf = (path: string): string => `${path}-lock`;

/** Which processes there are. */
export interface Processes {
  readonly own: number;
  /** Which start of the machine this is; '' where that is not known. Numbers and times of processes begin anew with each. */
  readonly boot: string;
  /** When a process was started, as the system counts it; '' where that is not known; undefined where there is no such process. */
  started(pid: number): string | undefined;
}

/** A lock that is held. */
export interface Lock {
  release(): void;
}

/**
 * Takes the lock of a log. One that a process has left that is no more (killed; or its number belongs to another by now) is taken over.
 *
 * @throws Failure where another process writes this run, or the lock can not be made
 */
export function takeLock(path: string, files: FileLayer = nodeFiles, processes: Processes = nodeProcesses): Lock {
  const lock = lockOf(path);
  const own = `${processes.own} ${processes.started(processes.own) ?? ''}${processes.boot === '' ? '' : ` ${processes.boot}`}\n`;
  const draft = `${lock}.${processes.own}`;
  try {
    writeDraft(files, draft, own);
    // Twice: once more when a stale lock is out of the way.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (linked(files, draft, lock)) return { release: () => releaseLock(files, lock, own) };
      const held = textOf(files, lock);
      if (held === undefined) continue;
      const owner = ownerOf(held, processes);
      if (owner !== undefined) throw heldBy(path, lock, owner);
      setAside(files, lock, `${draft}.stale`, held);
    }
    throw heldBy(path, lock, 'another process');
  } catch (error) {
    throw error instanceof Failure ? error : systemFailure('write the log', path, error);
  } finally {
    quietly(() => files.unlink(draft));
  }
}

const heldBy = (path: string, lock: string, owner: string): Failure =>
  new Failure(`${owner} is writing this run`, path, `wait for it or end it; if it is on no machine any more, remove ${lock}`);

function writeDraft(files: FileLayer, draft: string, text: string): void {
  const fd = files.open(draft, 'create');
  try {
    files.write(fd, new TextEncoder().encode(text));
  } finally {
    files.close(fd);
  }
}

/** Whether the lock is ours now. A link is there with its content at once, or not at all: nobody ever sees half a lock. */
function linked(files: FileLayer, draft: string, lock: string): boolean {
  try {
    files.link(draft, lock);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** Who holds the lock, for people; undefined where nobody does any more. */
function ownerOf(text: string, processes: Processes): string | undefined {
  // A lock is never seen without its content; a machine that lost its power may have kept the name alone.
  if (/^\0*$/.test(text)) return undefined;
  const [, pid, started, boot = ''] = /^(\d+) (\d*)(?: ([0-9a-f-]+))?\n$/.exec(text) ?? [];
  // Not one of ours: better to ask a person than to write into somebody's run.
  if (pid === undefined) return 'a program that this one does not know';
  if (boot !== '' && processes.boot !== '' && boot !== processes.boot) return undefined;
  const now = processes.started(Number(pid));
  if (now === undefined) return undefined;
  return started === '' || now === '' || now === started ? `process ${pid}` : undefined;
}

/** Takes a stale lock away; one that another process has put there meanwhile goes back. */
function setAside(files: FileLayer, lock: string, aside: string, stale: string): void {
  files.rename(lock, aside);
  if (textOf(files, aside) !== stale) linked(files, aside, lock);
  files.unlink(aside);
}

function releaseLock(files: FileLayer, lock: string, own: string): void {
  quietly(() => {
    if (textOf(files, lock) === own) files.unlink(lock);
  });
}

const textOf = (files: FileLayer, path: string): string | undefined => {
  const bytes = files.read(path);
  return bytes && new TextDecoder().decode(bytes);
};

/** A lock that can not be removed is stale for the next one, as this process will be gone. */
function quietly(work: () => void): void {
  try {
    work();
  } catch {
    // see above
  }
}

const nodeProcesses: Processes = {
  own: process.pid,
  get boot() {
    try {
      return new TextDecoder().decode(nodeFiles.read('/proc/sys/kernel/random/boot_id') ?? new Uint8Array()).trim();
    } catch {
      return '';
    }
  },
  started(pid) {
    try {
      process.kill(pid, 0);
    } catch (error) {
      if (codeOf(error) !== 'EPERM') return undefined;
    }
    try {
      // proc(5): fields 3 and 22, counted behind the name, which may hold anything but ends with the last parenthesis.
      const stat = new TextDecoder().decode(nodeFiles.read(`/proc/${pid}/stat`) ?? new Uint8Array());
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      // One that was killed and that nobody has asked after is still there, and writes nothing any more.
      return fields[0] === 'Z' ? undefined : (fields[19] ?? '');
    } catch {
      return '';
    }
  },
};
