// The Live CD's minute, as `npm start` plays it, without its replays.
import { loadScenario } from '../adapters/load-scenario.ts';
import { play } from '../adapters/play.ts';
import { Recording } from '../machines/index.ts';
import { seconds } from './harness.ts';

const SCENARIO = new URL('../../examples/livecd/livecd.yaml', import.meta.url).pathname;

export function runLivecd(): { seconds: number; steps: number; bytes: number } {
  const { header, images, run, close } = loadScenario(SCENARIO);
  let bytes = 0;
  const recording = new Recording({ header, images, sink: (piece) => (bytes += piece.length) });
  const time = seconds(() => {
    for (const _ of play(recording.dispatcher, run));
    recording.finish();
  });
  close();
  return { seconds: time, steps: recording.dispatcher.seq, bytes };
}
