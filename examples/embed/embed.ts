// A Xen host inside another program: watch its steps, talk to an actor, follow the list of domains, and try two futures.
//
//   npx tsc -b && node dist/examples/embed/main.js
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { applyPatches, enablePatches } from 'immer';
import { filter, take } from 'rxjs';
import { bytesImage, createHost, type DomainList, Log, SECOND, verify } from '../../index.ts';

/** Tells what it does through `say`; answers what came of it, for whoever wants to check. */
export function embed(livecd: string, say: (line: string) => void) {
  // A disk is anything that answers sectors; what its path means in dom0 stands in the configuration.
  const disk = bytesImage(readFileSync(join(livecd, 'server.img')));
  const path = '/xendomains/domains/server.img';
  const host = createHost({
    seed: 7,
    images: [disk],
    config: { files: [{ path, kind: 'disk', image: 0, sectors: disk.sectors, readonly: true }] },
  });

  // Every step comes by here once it has settled. This one says when the guest first runs.
  host.steps$
    .pipe(
      filter(({ command }) => command.type === 'guest.start' && command.domid > 0),
      take(1),
    )
    .subscribe(({ seq, time }) => say(`step ${seq}: the guest's first instruction, ${time / 1e6} ms after the host has started`));

  // A view tells what changes, as patches: here they keep a copy up to date, as a page in a browser would.
  enablePatches();
  let copy: DomainList = host.domains.state;
  host.domains.subscribe((_, patches) => {
    copy = applyPatches(copy, [...patches]);
  });

  host.boot();
  const config = readFileSync(join(livecd, 'server01.cfg'), 'latin1');
  const created = host.xl(['create', '/etc/xen/server01.cfg'], ['/etc/xen/server01.cfg', config]);
  host.run(10 * SECOND);
  for (const { domid, name, state, memory_kib } of Object.values(copy.domains))
    say(`${domid} ${name} ${state} ${memory_kib / 1024} MiB`);

  // Any actor by its id: what it is doing now, and the live one, to subscribe to.
  const kernel = host.actorState('d1.kernel');
  say(`d1.kernel is ${String(kernel?.value)}`);
  const moves: string[] = [];
  host.actor('d1')?.subscribe(({ value }) => void moves.push(JSON.stringify(value)));

  // A command is a hypercall or an operation of dom0; a refusal is an answer too.
  const paused = host.command({ type: 'domctl.pausedomain', domid: 0, domain: 1 });
  const nobody = host.command({ type: 'domctl.pausedomain', domid: 0, domain: 99 });
  say(
    `pause d1: ${paused.ok ? 'done' : paused.errno}; pause d99: ${nobody.ok ? 'done' : nobody.errno}; d1 went to ${moves.at(-1)}`,
  );
  host.command({ type: 'domctl.unpausedomain', domid: 0, domain: 1 });

  // Two futures of one past.
  const other = host.branch();
  const same = other.digest() === host.digest();
  host.run(30 * SECOND);
  other.xl(['destroy', 'server01']);
  other.run(30 * SECOND);
  const names = (list: DomainList) =>
    Object.values(list.domains)
      .map(({ name }) => name)
      .join(', ');
  say(
    `at the fork the two were ${same ? 'equal' : 'different'}; now here: ${names(host.domains.state)}; there: ${names(other.domains.state)}`,
  );

  // Either of them has a log, which replays anywhere.
  const log = new Log(other.log());
  const divergence = verify(log);
  say(`the other's log: ${log.length} steps, ${divergence === null ? 'decided the same again' : 'which differs'}`);
  return { created, paused, nobody, same, copy, host, other, divergence, steps: log.length };
}
