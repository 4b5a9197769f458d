// The embedding API as the worked example uses it, and what the example does not show.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { embed } from '../../examples/embed/embed.ts';
import { type CreateHostOptions, createHost, HypervisorBug, Log, reenact, SECOND, version } from '../../index.ts';

const livecd = join(import.meta.dirname, '../../examples/livecd');

test('the worked example', () => {
  const lines: string[] = [];
  const { created, paused, nobody, same, copy, host, other, divergence } = embed(livecd, (line) => void lines.push(line));
  expect(created.rc).toBe(0);
  expect(paused).toMatchObject({ ok: true });
  expect(nobody).toEqual({ ok: false, errno: 'ESRCH' });
  expect(same).toBe(true);
  expect(Object.keys(host.domains.state.domains)).toEqual(['0', '1']);
  expect(Object.keys(other.domains.state.domains)).toEqual(['0']);
  expect(copy).toEqual(host.domains.state);
  expect(divergence).toBeNull();
  expect(lines).toHaveLength(7);
});

test('the version is that of the package', () => {
  expect(version).toBe(JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')).version);
});

const booted = (options?: CreateHostOptions) => {
  const host = createHost(options);
  host.boot();
  host.run(SECOND);
  return host;
};

describe('a host', () => {
  test('boots once', () => {
    const host = createHost();
    expect(host.boot()).toMatchObject({ ok: true });
    expect(host.boot()).toMatchObject({ ok: false, errno: 'EBUSY' });
  });
  test('is the same for the same seed and inputs', () => {
    expect(booted({ seed: 3 }).digest()).toBe(booted({ seed: 3 }).digest());
    expect(booted({ seed: 3 }).digest()).not.toBe(booted({ seed: 4 }).digest());
  });
  test('goes on as its branch does, when told the same', () => {
    const host = booted();
    const branch = host.branch();
    for (const one of [host, branch]) {
      expect(one.xl(['list'])).toMatchObject({ rc: 0, stdout: expect.stringMatching(/^Name .*\nDomain-0 /) });
      one.run(5 * SECOND);
    }
    expect(branch.digest()).toBe(host.digest());
    host.command({ type: 'host.draw', count: 4 });
    expect(branch.digest()).not.toBe(host.digest());
  });
  test('a branch of a branch has the whole past in its log', () => {
    const host = booted();
    const branch = host.branch();
    branch.xl(['list']);
    const twig = branch.branch();
    twig.xl(['info']);
    const log = new Log(twig.log());
    expect(log.length).toBe(twig.seq);
    expect([...log.steps()].filter(({ cause }) => cause === null).map(({ command }) => command.type)).toEqual([
      'host.boot',
      'xl.run',
      'xl.run',
    ]);
    expect(reenact(log).divergence).toBeNull();
    expect(log.header.xenolog).toBe(version);
  });
});

describe('a subscriber of the steps', () => {
  test('posts what is taken when the host is quiet, in order', () => {
    const host = createHost();
    let asked = 0;
    host.steps$.subscribe(({ command }) => {
      if (command.type !== 'host.boot') return;
      asked = host.seq;
      host.post({ type: 'host.draw', count: 1 }, 'first');
      host.post({ type: 'host.draw', count: 2 }, 'second');
    });
    const taken: [string, number][] = [];
    host.steps$.subscribe(({ origin, seq }) => void (['first', 'second'].includes(origin) && taken.push([origin, seq])));
    host.boot();
    expect(taken.map(([origin]) => origin)).toEqual(['first', 'second']);
    expect(taken[0]![1]).toBeGreaterThan(asked);
    expect(new Log(host.log()).length).toBe(host.seq);
  });
  test('may not give commands at once', () => {
    const host = createHost();
    let thrown: unknown;
    host.steps$.subscribe(() => {
      try {
        host.command({ type: 'host.draw', count: 1 });
      } catch (error) {
        thrown ??= error;
      }
    });
    host.boot();
    expect(thrown).toBeInstanceOf(HypervisorBug);
  });
});
