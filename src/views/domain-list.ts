// The domains of a host as a dashboard shows them.
import type { Draft } from 'immer';
import type { DomId, Ns } from '../../events/units.ts';
import { pagesToKib } from '../../events/units.ts';
import type { Fact, FactType } from '../../events/vocabulary.ts';
import type { Projection } from './view.ts';

export interface DomainRow {
  readonly domid: DomId;
  /** A byte string, as XenStore has it; empty until the toolstack has written it. */
  readonly name: string;
  readonly state: DomainRowState;
  /** How often the toolstack has paused it; it may run at 0. */
  readonly pauses: number;
  /** How many vCPUs are up. */
  readonly vcpus: number;
  readonly memory_kib: number;
  /** When it was created: virtual time. Its uptime is the present minus this; a row that counts itself would change all the time. */
  readonly created_ns: Ns;
}
/** "paused" while the toolstack holds it; "dead" while others still have its frames. */
export type DomainRowState = 'paused' | 'running' | 'shutdown' | 'crashed' | 'dying' | 'dead';

export interface DomainList {
  /** By domain id: integer keys, so they are in ascending order. */
  readonly domains: Readonly<Record<DomId, DomainRow>>;
  /** Names in transactions that have not ended, by "CONNECTION.TRANSACTION". */
  readonly naming: Readonly<Record<string, Readonly<Record<DomId, string>>>>;
}

const watched = [
  'domain.created',
  'domain.paused',
  'domain.unpaused',
  'domain.shut_down',
  'domain.dying_started',
  'domain.relinquished',
  'domain.destroyed',
  'vcpu.brought_up',
  'vcpu.brought_down',
  'p2m.populated',
  'p2m.removed',
  'xenstore.node_created',
  'xenstore.node_written',
  'xenstore.transaction_committed',
  'xenstore.transaction_aborted',
  'xenstore.disconnected',
] as const satisfies readonly FactType[];
type Watched = Extract<Fact, { type: (typeof watched)[number] }>;

export const domainList: Projection<DomainList> = {
  initial: { domains: {}, naming: {} },
  facts: new Set(watched),
  apply: (draft, fact, step) => apply(draft, fact as Watched, step.time),
};

export const uptime = ({ created_ns }: DomainRow, now: Ns): Ns => now - created_ns;

function apply(list: Draft<DomainList>, fact: Watched, now: Ns): void {
  switch (fact.type) {
    case 'domain.created':
      list.domains[fact.domid] = {
        domid: fact.domid,
        name: '',
        state: 'paused',
        pauses: 1,
        vcpus: 0,
        memory_kib: 0,
        created_ns: now,
      };
      return;
    case 'domain.destroyed':
      delete list.domains[fact.domid];
      return;
    case 'xenstore.node_created':
    case 'xenstore.node_written': {
      const domid = /^\/local\/domain\/(\d+)\/name$/.exec(fact.path)?.[1];
      if (domid === undefined) return;
      if (fact.tx === 0) name(list, Number(domid), fact.value);
      else {
        const key = `${fact.conn}.${fact.tx}`;
        list.naming[key] ??= {};
        list.naming[key][Number(domid)] = fact.value;
      }
      return;
    }
    case 'xenstore.transaction_committed': {
      const names = list.naming[`${fact.conn}.${fact.tx}`] ?? {};
      for (const [domid, value] of Object.entries(names)) name(list, Number(domid), value);
      delete list.naming[`${fact.conn}.${fact.tx}`];
      return;
    }
    case 'xenstore.transaction_aborted':
      delete list.naming[`${fact.conn}.${fact.tx}`];
      return;
    case 'xenstore.disconnected':
      for (const key of Object.keys(list.naming)) if (key.startsWith(`${fact.conn}.`)) delete list.naming[key];
      return;
    default: {
      const row = list.domains[fact.domid];
      if (row) change(row, fact);
    }
  }
}

function name(list: Draft<DomainList>, domid: DomId, value: string): void {
  const row = list.domains[domid];
  if (row) row.name = value;
}

type AboutOne = Exclude<Watched, { type: 'domain.created' | 'domain.destroyed' | `xenstore.${string}` }>;
function change(row: Draft<DomainRow>, fact: AboutOne): void {
  switch (fact.type) {
    case 'domain.paused':
      row.pauses++;
      if (row.state === 'running') row.state = 'paused';
      return;
    case 'domain.unpaused':
      row.pauses--;
      if (row.state === 'paused' && row.pauses === 0) row.state = 'running';
      return;
    case 'domain.shut_down':
      row.state = fact.reason === 'crash' ? 'crashed' : 'shutdown';
      return;
    case 'domain.dying_started':
      row.state = 'dying';
      return;
    case 'domain.relinquished':
      row.state = 'dead';
      return;
    case 'vcpu.brought_up':
      row.vcpus++;
      return;
    case 'vcpu.brought_down':
      row.vcpus--;
      return;
    case 'p2m.populated':
      for (let i = 1; i < fact.extents.length; i += 2) row.memory_kib += pagesToKib(fact.extents[i]!);
      return;
    case 'p2m.removed':
      row.memory_kib -= pagesToKib(fact.nr_pages);
      return;
    default:
      fact satisfies never;
  }
}
