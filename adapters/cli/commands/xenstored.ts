// xenolog xenstored: a host with nothing but xenstored behind a Unix socket, and its log.
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { END_OF_TIME, MS, type Ns } from '../../../events/units.ts';
import { version } from '../../../index.ts';
import { Recording } from '../../../machines/index.ts';
import { defaultHost, type HostConfig, type XenVersion } from '../../../src/host-config.ts';
import { Failure, systemFailure } from '../../failure.ts';
import { LogFile, sha256 } from '../../log-file.ts';
import { XenstoreSockets } from '../../xenstore-socket/server.ts';
import { TestDomains } from '../../xenstore-socket/test-domains.ts';
import type { Output } from '../output.ts';
import { xenstoreVersion } from './conformance.ts';

export interface XenstoredOptions {
  readonly socket: string;
  readonly xenVersion: string;
  readonly state?: string;
  readonly testDomains?: string;
}

const MOST_TEST_DOMAINS = 1000;

/** Serves until it is told to stop; answers the exit status. */
export async function xenstored(options: XenstoredOptions, output: Output): Promise<number> {
  const config = configOf(xenstoreVersion(options.xenVersion));
  const count = testDomainsOf(options.testDomains);
  const path = resolve(options.socket);
  const file = options.state === undefined ? undefined : openState(options.state);

  const recording = new Recording({
    header: { xenolog: version, seed: 1, xen_version: config.xen_version, host: config, images: [] },
    images: [],
    hash: sha256,
    sink: (bytes) => file?.write(bytes),
  });
  const { dispatcher } = recording;

  let stop: (error?: unknown) => void = () => {};
  const stopped = new Promise<void>((end, fail) => {
    stop = (error) => (error === undefined ? end() : fail(error));
  });
  stopped.catch(() => {}); // it is awaited below
  const end = (): void => stop();
  process.on('SIGINT', end).on('SIGTERM', end);

  const sockets = new XenstoreSockets({ dispatcher, clock: wallClock(), fail: stop });
  const domains = count === undefined ? undefined : new TestDomains(dispatcher, sockets, path);
  try {
    await domains?.start(count!);
    await sockets.listen(path);
    output.line(`xenstored ${config.xen_version} at ${path}${file ? `, its log in ${file.path}` : ''}; Ctrl-C ends it`);
    output.flush();
    await stopped;
    sockets.close();
    recording.finish();
  } finally {
    domains?.close();
    sockets.close();
    file?.close();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return 0;
}

/** Dom0 and nothing else, not even booted: XenStore has only what xenstored itself puts there. */
const configOf = (xen_version: XenVersion): HostConfig => ({
  ...defaultHost,
  xen_version,
  bridges: [],
});

function testDomainsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= MOST_TEST_DOMAINS) return count;
  throw new Failure('not a number of domains', `--test-domains ${text}`, `write a number up to ${MOST_TEST_DOMAINS}`, 2);
}

/** The log of this run is DIR/run.xlog; those of earlier runs are kept beside it. */
function openState(directory: string): LogFile {
  const path = join(directory, 'run.xlog');
  try {
    mkdirSync(directory, { recursive: true });
    if (existsSync(path)) {
      let number = 1;
      while (existsSync(join(directory, `run.${number}.xlog`))) number++;
      renameSync(path, join(directory, `run.${number}.xlog`));
    }
  } catch (error) {
    throw systemFailure('prepare the directory', directory, error);
  }
  return new LogFile(path);
}

/** Nanoseconds since now, by the wall's clock: virtual time goes with it. At the end of virtual time it stands still. */
function wallClock(): () => Ns {
  const started = performance.now();
  return () => Math.min(Math.floor((performance.now() - started) * MS), END_OF_TIME - 1);
}
