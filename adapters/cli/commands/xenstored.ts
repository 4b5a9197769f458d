// xenolog xenstored: a host with nothing but xenstored behind a Unix socket, and its log.
import { resolve } from 'node:path';
import { END_OF_TIME, MS, type Ns } from '../../../events/units.ts';
import { Dispatcher } from '../../../machines/index.ts';
import { defaultHost, type HostConfig, type XenVersion } from '../../../src/host-config.ts';
import { parseSize } from '../../../src/scenario/quantities.ts';
import { Failure } from '../../failure.ts';
import { LiveRun, liveFailure } from '../../live-run.ts';
import { XenstoreSockets } from '../../xenstore-socket/server.ts';
import { TestDomains } from '../../xenstore-socket/test-domains.ts';
import type { Output } from '../output.ts';
import { xenstoreVersion } from './conformance.ts';
import { durabilityOf } from './run.ts';

export interface XenstoredOptions {
  readonly socket: string;
  /** Without it, that of the run there is, or 4.17. */
  readonly xenVersion?: string;
  readonly state?: string;
  readonly durability?: string;
  readonly rotate?: string;
  readonly testDomains?: string;
}

const MOST_TEST_DOMAINS = 1000;
/** About a million requests. */
const ROTATE = '32M';

/** Serves until it is told to stop; answers the exit status. */
export async function xenstored(options: XenstoredOptions, output: Output): Promise<number> {
  const version = options.xenVersion === undefined ? undefined : xenstoreVersion(options.xenVersion);
  const count = testDomainsOf(options.testDomains);
  const path = resolve(options.socket);
  const run = liveRunOf(options, version);
  const dispatcher = run?.dispatcher ?? new Dispatcher({ config: configOf(version), seed: 1, images: [] });

  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  process.on('SIGINT', end).on('SIGTERM', end);
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    end();
  };

  const sockets = new XenstoreSockets({
    dispatcher,
    clock: wallClock(dispatcher.now),
    fail,
    ...(run && { acknowledge: () => run.acknowledge() }),
  });
  const domains = count === undefined ? undefined : new TestDomains(dispatcher, sockets, path);
  try {
    sockets.resume();
    await domains?.start(count!);
    await sockets.listen(path);
    const past = run?.resumed === undefined ? '' : ` after ${run.resumed.steps} steps${lostBefore(run.resumed.first)}`;
    const { xen_version } = dispatcher.host.config;
    output.line(`xenstored ${xen_version} at ${path}${run ? `, its log in ${run.file}${past}` : ''}; Ctrl-C ends it`);
    output.flush();
    await ended;
    sockets.close();
    if (failure) throw failure.error;
    run?.finish();
  } catch (error) {
    throw liveFailure(error, run);
  } finally {
    domains?.close();
    sockets.close();
    run?.close();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
  return 0;
}

const lostBefore = (first: number): string => (first > 0 ? ` (those before step ${first} are not there any more)` : '');

function liveRunOf({ state, durability = 'batch', rotate = ROTATE }: XenstoredOptions, version: XenVersion | undefined) {
  const options = { durability: durabilityOf(durability), rotate: rotateOf(rotate) };
  if (state === undefined) return undefined;
  return new LiveRun({
    ...options,
    directory: state,
    config(found) {
      if (found && version !== undefined && found.xen_version !== version)
        throw new Failure(
          `the run is one of xenstored ${found.xen_version}`,
          `--xen-version ${version}`,
          `leave it out, or name another directory than ${state}`,
        );
      return found ?? configOf(version);
    },
  });
}

/** Dom0 and nothing else, not even booted: XenStore has only what xenstored itself puts there. */
const configOf = (xen_version: XenVersion = '4.17'): HostConfig => ({ ...defaultHost, xen_version, bridges: [] });

function testDomainsOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= MOST_TEST_DOMAINS) return count;
  throw new Failure('not a number of domains', `--test-domains ${text}`, `write a number up to ${MOST_TEST_DOMAINS}`, 2);
}

function rotateOf(text: string): number {
  const size = parseSize(text);
  if (size !== undefined && size > 0) return size;
  throw new Failure('not a size', `--rotate ${text}`, 'write a number with its unit, such as 32M', 2);
}

/** Virtual time goes on from `start` with the wall's clock. At the end of virtual time it stands still. */
function wallClock(start: Ns): () => Ns {
  const started = performance.now();
  return () => Math.min(start + Math.floor((performance.now() - started) * MS), END_OF_TIME - 1);
}
