import { beforeAll, describe, expect, test } from 'vitest';
import { type AnyStateMachine, StateMachine } from 'xstate';
import { joined } from '../../events/bytes.ts';
import { Log, LogWriter } from '../../events/log.ts';
import { accept } from '../../events/step.ts';
import type { Command, Outcome } from '../../events/vocabulary.ts';
import { askXl } from '../../index.ts';
import { blkfront } from '../../machines/blkfront.ts';
import { Cursor, describeDivergence, fold, follow, reenact, Steps, verify, why } from '../../replay/index.ts';
import { decide } from '../../src/host.ts';
import { type Played, playLivecd } from '../livecd.ts';

let played: Played;
beforeAll(() => {
  played = playLivecd();
});

describe('the Live CD, replayed', () => {
  test('fold, verify, follow and re-enact agree with the run', () => {
    const { log, end } = played;
    expect(fold(log).digest()).toBe(end.state);
    expect(verify(log)).toBeNull();
    expect(follow(log).divergence).toBeNull();
    expect(reenact(log).divergence).toBeNull();
  });

  test('the actors that follow brings about are those of the live host', () => {
    const live = played.recording.dispatcher.directory;
    const followed = follow(played.log).directory;
    expect(followed.ids()).toEqual(live.ids());
    for (const id of live.ids()) expect([id, followed.state(id)]).toEqual([id, live.state(id)]);
  });

  test('played twice, it is the same file', () => {
    expect(Buffer.from(playLivecd().file).equals(Buffer.from(played.file))).toBe(true);
  });

  test('a completed block request leads back to what was typed or commanded, by way of its own request', () => {
    const steps = new Steps(played.log);
    const completions = [...played.log.steps()].filter((step) => step.command.type === 'vbd.note_completed');
    expect(completions.length).toBeGreaterThan(20);
    for (const completion of completions) {
      const chain = why(steps, completion.seq);
      const { id } = completion.command as Extract<Command, { type: 'vbd.note_completed' }>;
      expect(chain[1]!.command).toMatchObject({ type: 'vbd.note_served', id });
      expect(chain[2]!.command).toMatchObject({ type: 'vbd.note_submitted', id });
      expect(chain.at(-1)!.cause).toBeNull();
      expect(['xl.run', 'console.input']).toContain(chain.at(-1)!.command.type);
    }
  });

  test('only inputs have no cause', () => {
    const uncaused = new Set<string>();
    for (const step of played.log.steps()) if (step.cause === null) uncaused.add(step.command.type);
    expect([...uncaused].sort()).toEqual(['console.input', 'host.boot', 'host.end', 'xl.run']);
  });

  test('a checkpoint goes on as the run itself', () => {
    const cursor = new Cursor(played.log, { every: 2000 });
    const middle = Math.floor(played.log.length / 2);
    const before = cursor.hostAt(middle);
    const rest = reenact(played.log, { from: before.checkpoint() });
    expect(rest.divergence).toBeNull();
    expect(rest.dispatcher.host.digest()).toBe(played.end.state);
    expect(rest.dispatcher.memory.digest()).toBe(played.end.memory);
  });

  test('re-enacting up to a step reads nothing behind it; whoever goes on from there is compared with nothing', () => {
    const { log } = played;
    const inputs = [...log.steps()].filter(({ cause }) => cause === null).map(({ seq }) => seq);
    const gaps = inputs.slice(1).map((seq, i) => seq - inputs[i]!);
    const widest = Math.max(...gaps);
    const until = inputs[gaps.indexOf(widest)]! + (widest >> 1);
    let furthest = 0;
    const counted = Object.assign(Object.create(log) as typeof log, {
      *steps(from?: number) {
        for (const step of log.steps(from)) {
          furthest = Math.max(furthest, step.seq);
          yield step;
        }
      },
      around(): never {
        throw new Error('the causes of a step are looked for');
      },
    });
    const { dispatcher, divergence } = reenact(counted, { until });
    expect([divergence, widest > 400, furthest <= dispatcher.seq]).toEqual([null, true, true]);
    expect(askXl(dispatcher, ['list']).stdout).toContain('Domain-0');
  });

  test('the state at any step is that of a fold which stops there', () => {
    const cursor = new Cursor(played.log, { every: 1000 });
    for (const seq of [0, 1, 999, 1000, 1001, Math.floor(played.log.length * 0.7), played.log.length]) {
      const whole = new Cursor(played.log, { every: 1e9 });
      expect([seq, cursor.stateAt(seq).digest()]).toEqual([seq, whole.stateAt(seq).digest()]);
    }
  });
  test('the way to a state stays short when there is less room for states', () => {
    const { log } = played;
    const ways: number[] = [];
    const counted = Object.assign(Object.create(log) as typeof log, {
      facts(apply: Parameters<typeof log.facts>[0], from: number, to: number) {
        ways.push(to - from);
        log.facts(apply, from, to);
      },
    });
    for (const mostBytes of [400_000, 1_500_000, 2 ** 29]) {
      const cursor = new Cursor(counted, { every: 16, mostBytes });
      cursor.stateAt(log.length);
      ways.length = 0;
      for (let n = 0; n < 20; n++) cursor.stateAt(Math.floor((log.length * n) / 20));
      const longest = Math.max(...ways);
      expect(longest).toBeLessThan(mostBytes < 2 ** 29 ? 500 : 16);
    }
  });
});

describe('the guests of the Live CD', () => {
  const printed = (dom: number): string =>
    [...played.log.steps()]
      .flatMap((step) => step.outcome.events ?? [])
      .map((event) => (event.type === 'console.output' && event.dom === dom ? event.text : ''))
      .join('');

  test.each([
    ['mount their root through the ring', /VFS: mounted root \(ext2 filesystem, label ROOT\) read-only on xvda1/],
    ['get an address', /eth0 bound to 10\.0\.0\.130, router 10\.0\.0\.1/],
    ['let the right one in', /server02 login: livexen\nPassword: \nlivexen@server02:~\$ /],
    ['list a directory of their disk', /ls\nbin {2}boot {2}dev {2}etc/],
    ['read their disk', /64\+0 records in\n64\+0 records out\n262144 bytes copied/],
    ['reach dom0', /3 packets transmitted, 3 received, 0% packet loss/],
    ['reach each other', /64 bytes from 10\.0\.0\.128: .*\n\n1 packets transmitted, 1 received/],
  ])('%s', (_, expected) => {
    expect(printed(3)).toMatch(expected);
  });

  test('show no password', () => {
    expect(printed(3)).not.toMatch(/Password: .*live/);
  });
});

describe('what has changed is found, and named', () => {
  /** One decision made otherwise, the n-th of its kind. */
  const mutant = (type: Command['type'], nth: number): typeof decide => {
    let count = 0;
    return (host, command, now, reader): Outcome => {
      const outcome = decide(host, command, now, reader);
      return command.type === type && ++count === nth ? accept() : outcome;
    };
  };

  test.each(['evtchn.send', 'gnttab.map_grant_ref', 'domctl.unpausedomain', 'timer.expire'] as const)(
    'a changed decision of %s: by verify and by re-enact, at the same step',
    (type) => {
      const expected = [...played.log.steps()].filter((step) => step.command.type === type)[2]!.seq;
      const verified = verify(played.log, { deciding: mutant(type, 3) });
      expect(verified?.seq).toBe(expected);
      expect(describeDivergence(verified!).join('\n')).toContain(type);
      expect(reenact(played.log, { deciding: mutant(type, 3) }).divergence?.seq).toBe(expected);
    },
  );

  test('a changed entry action: not by verify, but by follow and by re-enact', () => {
    // The frontend tells its kernel that it is connected before it tells its backend.
    const { states, ...chart } = blkfront.config;
    const connected = states!['Connected'] as { entry: readonly unknown[] };
    const config = { ...chart, states: { ...states, Connected: { ...connected, entry: [...connected.entry].reverse() } } };
    const machines = { blkfront: new StateMachine(config as never, blkfront.implementations as never) as AnyStateMachine };
    expect(verify(played.log)).toBeNull();
    const followed = follow(played.log, { machines }).divergence;
    expect(followed).not.toBeNull();
    expect(followed?.what).toMatch(/the actor d1\.vbd\.51712 asks otherwise/);
    expect(reenact(played.log, { machines }).divergence).not.toBeNull();
  });

  test('a moment behind a difference is no moment of the run', () => {
    const { log } = played;
    const changed = [...log.steps()].filter((step) => step.command.type === 'vbd.note_served')[2]!.seq;
    const parts: Uint8Array[] = [];
    const writer = new LogWriter(log.header, (bytes) => parts.push(bytes));
    for (const blob of log.blobs()) writer.addBlob(blob);
    for (const step of log.steps()) writer.append(step.seq === changed ? { ...step, time: step.time + 1 } : step);
    writer.cut();
    const cursor = new Cursor(new Log(joined(parts)));
    expect(cursor.hostAt(changed >> 1).seq).toBeLessThan(changed);
    expect(() => cursor.hostAt(changed + 100)).toThrow(`does otherwise than the log at step ${changed}`);
  });

  test('a changed byte: no replay takes the log', () => {
    for (const at of [30, 5000, Math.floor(played.file.length / 2), played.file.length - 100]) {
      const damaged = played.file.slice();
      damaged[at]! ^= 1;
      expect(() => fold(new Log(damaged))).toThrow(/header|block \d+/);
    }
  });
});
