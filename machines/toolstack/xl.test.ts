import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { SECOND } from '../../events/units.ts';
import type { Command, FactOf, Step } from '../../events/vocabulary.ts';
import { defaultHost, type HostConfig } from '../../src/host-config.ts';
import { Dispatcher } from '../system/dispatcher.ts';

const golden = (name: string): string => readFileSync(new URL(`../../test/golden/xl/${name}`, import.meta.url), 'latin1');
const recorded = golden('requests.jsonl')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { job: string; type: string; args: string });

const config: HostConfig = {
  ...defaultHost,
  memory_mib: 2048,
  files: [
    { path: '/lab/guest/vmlinux', kind: 'kernel', builtin: 'linux' },
    { path: '/lab/disk1.img', kind: 'disk', image: 0, sectors: 16384, readonly: false },
  ],
};
const PV1 = golden('pv1.cfg');

/** A booted host with a record of all steps. Files are given by the last part of their path. */
class Lab {
  readonly steps: Step[] = [];
  readonly dispatcher: Dispatcher;
  constructor() {
    this.dispatcher = new Dispatcher({
      config,
      seed: 1,
      images: [{ sectors: 16384, read: (_, into) => void into.fill(0) }],
      onStep: (step) => this.steps.push(step),
    });
    this.dispatcher.input({ type: 'host.boot' }, 'toolstack');
  }
  /** Runs xl; answers its exit code, -1 while it has not ended, and what it has printed. */
  xl(argv: string, files: Readonly<Record<string, string>> = {}): { rc: number; stdout: string; stderr: string } {
    const known: Record<string, string> = { 'pv1.cfg': PV1, 'bare.cfg': golden('bare.cfg'), 'pv2.cfg': golden('pv2.cfg'), ...files };
    const from = this.steps.length;
    const input: Command = { type: 'xl.run', argv: argv.split(' '), files: Object.entries(known).flat() };
    this.dispatcher.input(input, 'toolstack');
    const job = (this.facts('xl.job_started', from)[0] as FactOf<'xl.job_started'>).job;
    const text = (stream: string) =>
      this.facts('xl.printed', from).flatMap((fact) => (fact.job === job && fact.stream === stream ? [fact.text] : []));
    const rc = this.facts('xl.exited', from).find((fact) => fact.job === job)?.rc ?? -1;
    return { rc, stdout: text('stdout').join(''), stderr: text('stderr').join('') };
  }
  run(seconds: number): void {
    this.dispatcher.run(this.dispatcher.now + seconds * SECOND);
  }
  facts<K extends FactOf<never>['type'] | Parameters<typeof String>[0]>(type: K, from = 0): FactOf<never>[] {
    return this.steps.slice(from).flatMap((step) => (step.outcome.events ?? []).filter((event) => event.type === type)) as never;
  }
  /** The XenStore requests of an actor, as the recordings have them. */
  requests(origin: RegExp, from = 0): string[] {
    return this.steps.slice(from).flatMap(({ origin: who, command }) => (origin.test(who) ? asRecorded(command) : []));
  }
  /** `xenstore-ls -f -p` of what matches. */
  tree(paths: RegExp): string[] {
    const { store } = this.dispatcher.host;
    return [...store.tree.root.walk()].flatMap((node) => {
      const { path } = node;
      return path !== '/' && paths.test(path) ? [`${path} = "${node.value}"   (${store.permsOf(node.perms).join(',')})`] : [];
    });
  }
}
