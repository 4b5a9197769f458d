import type { Log } from '../../events/log.ts';
import { openLog } from '../log-file.ts';

/** Opens a log; what was lost at its end is said on stderr, and no reason to stop. */
export function openRun(path: string): Log {
  const log = openLog(path);
  if (log.torn !== undefined) process.stderr.write(`xenolog: ${log.torn} (${path}): going on with what there is\n`);
  return log;
}
