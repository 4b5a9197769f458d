// Views are made of facts alone; the tables are the judge.
import { expect, test } from 'vitest';
import { loadScenario } from '../../adapters/load-scenario.ts';
import { domainNames, play } from '../../adapters/play.ts';
import { pagesToKib } from '../../events/units.ts';
import { Dispatcher } from '../../machines/index.ts';
import type { Host } from '../../src/host.ts';
import { type DomainList, domainList, View } from '../../src/views/index.ts';
import { SCENARIO } from '../livecd.ts';

/** The list of domains as the tables and XenStore have it. */
function listOf(host: Host): unknown[] {
  const names = new Map(domainNames(host).map(({ domid, name }) => [domid, name]));
  return [...host.xen.domids()].map((domid) => {
    const row = host.xen.domains.rows.row(0, domid);
    const vcpus = [...host.xen.sched.vcpu.inUse(domid)].filter(([, vcpu]) => vcpu.up === 1).length;
    return [domid, names.get(domid) ?? '', row.state, row.controller_pause_count, vcpus, pagesToKib(row.tot_pages)];
  });
}
const shown = ({ domains }: DomainList): unknown[] =>
  Object.values(domains).map(({ domid, name, state, pauses, vcpus, memory_kib }) => {
    const life = state === 'dying' || state === 'dead' ? state : 'alive';
    return [domid, name, life, pauses, vcpus, memory_kib];
  });

test('the list of domains says what the tables say, whenever the host is quiet', () => {
  const { header, images, run, close } = loadScenario(SCENARIO);
  const dispatcher = new Dispatcher({ config: run.config, seed: header.seed, images });
  const view = new View(domainList);
  const seen = new Set<string>();
  dispatcher.steps$.subscribe((step) => {
    view.see(step);
    for (const { name, state } of Object.values(view.state.domains)) seen.add(`${name} ${state}`);
  });
  for (const _ of play(dispatcher, run)) expect(shown(view.state)).toEqual(listOf(dispatcher.host));
  expect([...seen]).toEqual(expect.arrayContaining(['server02 running', 'server01 shutdown', 'client01 dying']));
  expect(view.state.naming).toEqual({});
  close();
});
