// Keeps a log of the state's version: `node dist/scripts/keep-state.js` writes test/golden/logs/state-N.xlog, the second file of a run of
// the Live CD's first five seconds. Done once, when STATE_VERSION has been raised; what is kept of earlier versions stays as it is.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileStore } from '../adapters/file-store/file-store.ts';
import { loadScenario } from '../adapters/load-scenario.ts';
import { play } from '../adapters/play.ts';
import { SECOND } from '../events/units.ts';
import { STATE_VERSION } from '../events/upcast.ts';
import { Recording } from '../machines/index.ts';
import { encodeStart } from '../replay/index.ts';

const root = new URL('../../', import.meta.url).pathname;
const kept = join(root, `test/golden/logs/state-${STATE_VERSION}.xlog`);
const folder = mkdtempSync(join(tmpdir(), 'xenolog-'));
try {
  const { header, images, run } = loadScenario(join(root, 'examples/livecd/livecd.yaml'));
  const store = new FileStore({ path: join(folder, 'run.xlog'), header, durability: 'none' });
  const recording = new Recording({ header, images, store });
  let rotated = false;
  for (const _ of play(recording.dispatcher, run, 5 * SECOND)) {
    // One domain is up by then, the next is about to come.
    if (rotated || recording.dispatcher.seq < 600) continue;
    recording.rotate(encodeStart);
    rotated = true;
  }
  recording.finish();
  writeFileSync(kept, readFileSync(join(folder, 'run.2.xlog')), { flag: 'wx' });
  console.log(`${kept}: add it to the repository (git add -f)`);
} finally {
  rmSync(folder, { recursive: true });
}
