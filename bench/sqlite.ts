// better-sqlite3 with the same steps, where somebody has it: XENOLOG_SQLITE names the package's directory. It is no dependency of ours.
import { createRequire } from 'node:module';
import { RowWriter } from '../adapters/file-store/sidecar.ts';
import type { Step } from '../events/vocabulary.ts';

interface Database {
  pragma(text: string): unknown;
  exec(text: string): unknown;
  prepare(text: string): { run(seq: number, row: Uint8Array): unknown };
  transaction(work: (steps: readonly Step[]) => void): (steps: readonly Step[]) => void;
  close(): void;
}

export interface SqliteRun {
  put(steps: readonly Step[], batch: number): void;
  close(): void;
}

/** Opens databases that take steps in batches, each a transaction that is on the disk before the next (WAL, synchronous FULL). */
export function sqliteRuns(): ((path: string) => SqliteRun) | undefined {
  const directory = process.env['XENOLOG_SQLITE'];
  if (directory === undefined) return undefined;
  const Made = createRequire(import.meta.url)(directory) as new (path: string) => Database;
  return (path) => {
    const database = new Made(path);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.exec('create table step (seq integer primary key, row blob)');
    const statement = database.prepare('insert into step values (?, ?)');
    // A step as our sidecar has it: both encode what they are given.
    const rows = new RowWriter();
    const insert = database.transaction((steps) => {
      for (const step of steps) {
        rows.clear();
        rows.add({ step, blobs: [] });
        statement.run(step.seq, rows.view());
      }
    });
    return {
      put(steps, batch) {
        for (let at = 0; at < steps.length; at += batch) insert(steps.slice(at, at + batch));
      },
      close: () => database.close(),
    };
  };
}
