import type { Log } from '../../events/log.ts';
import { Cursor } from '../../replay/index.ts';
import type { Image } from '../../src/storage/image.ts';
import { fileImage } from '../file-image.ts';
import { openCache } from '../file-store/cache-file.ts';
import { lockOf } from '../file-store/lock.ts';
import { openLog } from '../log-file.ts';
import { firstFileOf, placeOf, type RunPlace } from '../run-place.ts';

/** Opens a log; what was lost at its end is said on stderr, and no reason to stop. */
export function openRun(name: string | RunPlace): Log {
  const log = openLog(name);
  const path = typeof name === 'string' ? name : name.path;
  if (log.torn !== undefined) process.stderr.write(`xenolog: ${log.torn} (${path}): going on with what there is\n`);
  return log;
}

/** From so many steps on it is worth leaving states beside the log for the next time. */
const LONG = 1 << 18;

/** A cursor that uses the checkpoints beside a log, and adds to them where the log is long and nobody is writing it. */
export function openCursor(name: string, log: Log, images?: readonly string[]): Cursor {
  const found = broughtImages(images ?? []);
  try {
    const place = placeOf(name);
    const path = firstFileOf(place, log);
    const { files } = place;
    const mode = log.length > LONG && !files.read(lockOf(path)) ? 'write' : 'read';
    const open = files.cache && openCache(path, log, mode, files.cache);
    if (open?.cache.problem !== undefined)
      process.stderr.write(`xenolog: of the checkpoints of this run, ${open.cache.problem} (${path}-cache): going on without\n`);
    return new Cursor(log, { cache: open?.cache, found });
  } catch {
    // A cache that can not be read or made: the log has everything.
    return new Cursor(log, { found });
  }
}

/** Disks that a log does not carry, by their digests, which tell which they are. */
export const broughtImages = (paths: readonly string[]): ReadonlyMap<string, Image> =>
  new Map(
    paths.map((path) => {
      const image = fileImage(path);
      return [image.sha256(), image];
    }),
  );
