// The embedding API: `createHost()` puts the floors together. A Xen host as an object, in a browser as anywhere else.
import { sha256 } from '@noble/hashes/sha2.js';
import type { Observable } from 'rxjs';
import type { AnyActor } from 'xstate';
import { eventsOf, HypervisorBug } from './events/step.ts';
import { END_OF_TIME, type Ns, SECOND } from './events/units.ts';
import type { Command, Outcome, Step } from './events/vocabulary.ts';
import type { ActorState } from './machines/system/directory.ts';
import { type Checkpoint, Dispatcher } from './machines/system/dispatcher.ts';
import { endOf, Recording } from './machines/system/recording.ts';
import { same } from './replay/divergence.ts';
import type { Host } from './src/host.ts';
import { defaultHost, type HostConfig } from './src/host-config.ts';
import { type Image, SECTOR_SIZE } from './src/storage/image.ts';
import { type DomainList, domainList } from './src/views/domain-list.ts';
import { type Projection, View } from './src/views/view.ts';

export * from './events/index.ts';
export * from './machines/index.ts';
export * from './replay/index.ts';
export { type BridgeConfig, defaultHost, type HostConfig, type HostFile, type XenVersion } from './src/host-config.ts';
export * from './src/scenario/index.ts';
export { bytesImage } from './src/storage/bytes-image.ts';
export { type Image, SECTOR_SIZE } from './src/storage/image.ts';
export * from './src/views/index.ts';

/** This package's version: the one in package.json. */
export const version = '0.1.0';

export interface CreateHostOptions {
  /** What is left out is as in `defaultHost`. */
  readonly config?: Partial<HostConfig>;
  /** An integer of 32 bits: the only source of chance. */
  readonly seed?: number;
  /** The disks that `config.files` names, by their numbers. */
  readonly images?: readonly Image[];
}

/** A host before its first step. Everything it does, and when, follows from its options and from what it is told. */
export const createHost = ({ config, seed = 1, images = [] }: CreateHostOptions = {}): XenHost =>
  new XenHost({ config: { ...defaultHost, ...config }, seed, images });

interface Made {
  readonly config: HostConfig;
  readonly seed: number;
  readonly images: readonly Image[];
}
/** Where a branch starts. */
interface Past {
  readonly checkpoint: Checkpoint;
  readonly inputs: readonly Input[];
  readonly domains: DomainList;
}
interface Input {
  readonly seq: number;
  readonly time: Ns;
  readonly command: Command;
  readonly origin: string;
}

export class XenHost {
  /** The list of domains, kept up to date. */
  readonly domains: View<DomainList>;
  private readonly made: Made;
  private readonly dispatcher: Dispatcher;
  private readonly inputs: Input[];
  private posted: { readonly command: Command; readonly origin: string }[] = [];

  constructor(made: Made, past?: Past) {
    this.made = made;
    this.dispatcher = new Dispatcher(made);
    if (past) this.dispatcher.restore(past.checkpoint);
    this.inputs = [...(past?.inputs ?? [])];
    this.domains = this.view(domainList, past?.domains);
  }

  /** Every step, once it has settled. A subscriber may `post`, and may look at everything. */
  get steps$(): Observable<Step> {
    return this.dispatcher.steps$;
  }
  /** Virtual nanoseconds since the host was made. */
  get now(): Ns {
    return this.dispatcher.now;
  }
  /** The number that the next step will have. */
  get seq(): number {
    return this.dispatcher.seq;
  }
  /** The tables, the records and XenStore: to look at. What writes to them by itself breaks replay. */
  get state(): Host {
    return this.dispatcher.host;
  }

  /** The first input: Xen starts, and builds dom0. EBUSY the second time. */
  boot(): Outcome {
    return this.command({ type: 'host.boot' });
  }
  /**
   * An input, now: it is decided, logged, and everything that follows at once has happened when this returns. A refusal is an
   * outcome like any other.
   *
   * @throws HypervisorBug inside a subscriber of `steps$`, where only `post` is possible
   */
  command(command: Command, origin = 'operator'): Outcome {
    const { seq, now } = this.dispatcher;
    const outcome = this.dispatcher.input(command, origin);
    this.inputs.push({ seq, time: now, command, origin });
    this.takePosted();
    return outcome;
  }
  /** An input for later: as soon as the host is quiet, in the order of posting. */
  post(command: Command, origin = 'operator'): void {
    this.posted.push({ command, origin });
    if (this.dispatcher.quiet) this.takePosted();
  }
  /**
   * Runs `xl`, and the host for as long as that takes: at most a minute of virtual time.
   *
   * @param argv without the "xl"; byte strings
   * @param files what it reads: paths in dom0, each followed by the file's content
   */
  xl(argv: readonly string[], files: readonly string[] = []): XlAnswer {
    return askXl(this, argv, files);
  }

  /** Lets virtual time go on up to this moment. */
  run(until: Ns): void {
    while (this.advance(until));
    this.dispatcher.run(until);
  }
  /** One slice of a vCPU or one timer; false where the next would be after `until`. */
  advance(until: Ns = END_OF_TIME): boolean {
    const more = this.dispatcher.advance(until);
    this.takePosted();
    return more;
  }

  /** The ids of the actors that there are, in code unit order: `d1.kernel`, `d0.vbd.1.51712` ... */
  ids(): readonly string[] {
    return this.dispatcher.directory.ids();
  }
  /** The live XState actor, to subscribe to. Sending to it behind the log's back breaks replay. */
  actor(id: string): AnyActor | undefined {
    return this.dispatcher.directory.actor(id);
  }
  /** What an actor is doing; undefined where there is none. */
  actorState(id: string): ActorState | undefined {
    return this.dispatcher.directory.state(id);
  }

  /** A projection of the steps from now on; it starts from `state`, or from nothing. */
  view<S extends object>(projection: Projection<S>, state?: S): View<S> {
    const view = new View(projection, state);
    this.steps$.subscribe((step) => view.see(step));
    return view;
  }

  /** Everything that the host is, as plain data; only between steps. */
  checkpoint(): Checkpoint {
    return this.dispatcher.checkpoint();
  }
  /** A second live host with the same past: what happens to one does not concern the other. */
  branch(): XenHost {
    const { inputs } = this;
    return new XenHost(this.made, { checkpoint: this.checkpoint(), inputs, domains: this.domains.state });
  }
  /** A number that is the same for equal hosts: state, guest memory and actors. */
  digest(): string {
    const { state, memory } = endOf(this.dispatcher);
    return [state, memory, this.dispatcher.directory.digest()].map((part) => part.toString(16).padStart(8, '0')).join('');
  }

  /**
   * A closed log of everything up to now. It is made by running a second host from the same inputs: as long as that took, and a
   * proof that it leads to the same. To record as you go, use `Recording`.
   *
   * @throws HypervisorBug where the second host differs, because of an image that has changed, or of a bug
   */
  log(): Uint8Array {
    const { config, seed, images } = this.made;
    const pieces: Uint8Array[] = [];
    const again = new Recording({
      header: { xenolog: version, seed, xen_version: config.xen_version, host: config, images: digests(this.made) },
      images,
      sink: (bytes) => void pieces.push(bytes.slice()),
    });
    const { dispatcher } = again;
    for (const { seq, time, command, origin } of this.inputs) {
      while (dispatcher.seq < seq && dispatcher.advance(END_OF_TIME));
      dispatcher.now = time;
      dispatcher.input(command, origin);
    }
    while (dispatcher.seq < this.seq && dispatcher.advance(END_OF_TIME));
    if (!same(endOf(dispatcher), endOf(this.dispatcher))) throw new HypervisorBug('the same inputs have led to another host');
    again.finish();
    return joined(pieces);
  }

  private takePosted(): void {
    while (this.posted.length > 0) {
      const { command, origin } = this.posted.shift()!;
      this.command(command, origin);
    }
  }
}

export interface XlAnswer {
  /** Byte strings. */
  readonly stdout: string;
  readonly stderr: string;
  /** The exit status; undefined where xl had not ended within a minute of virtual time. */
  readonly rc: number | undefined;
}

const PATIENCE: Ns = 60 * SECOND;

/** Runs `xl` on a host, which goes on for as long as that takes. */
export function askXl(host: XenHost | Dispatcher, argv: readonly string[], files: readonly string[] = []): XlAnswer {
  const said = { stdout: '', stderr: '' };
  let job: number | undefined;
  let rc: number | undefined;
  const subscription = host.steps$.subscribe(({ outcome }) => {
    for (const event of eventsOf(outcome)) {
      if (event.type === 'xl.job_started') job ??= event.job;
      else if (event.type === 'xl.printed' && event.job === job) said[event.stream] += event.text;
      else if (event.type === 'xl.exited' && event.job === job) rc = event.rc;
    }
  });
  const command: Command = { type: 'xl.run', argv, files };
  if (host instanceof XenHost) host.command(command);
  else host.input(command, 'operator');
  const limit = host.now + PATIENCE;
  while (rc === undefined && host.advance(limit));
  subscription.unsubscribe();
  return { ...said, rc };
}

const digests = ({ config, images }: Made) =>
  images.map((image, number) => ({
    path: config.files.find((file) => file.kind === 'disk' && file.image === number)?.path ?? '',
    sectors: image.sectors,
    sha256: digestOf(image),
  }));

function digestOf(image: Image): string {
  const hash = sha256.create();
  const sector = new Uint8Array(SECTOR_SIZE);
  for (let at = 0; at < image.sectors; at++) {
    image.read(at, sector);
    hash.update(sector);
  }
  return [...hash.digest()].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
