// Memory: what a domain of 64 GiB costs to make, and how fast a PV guest's page tables are looked through and changed.
import { eventsOf } from '../events/step.ts';
import { mibToPages } from '../events/units.ts';
import { build } from '../tools/fuzz/arbitraries/domain.ts';
import { CoreHost } from '../tools/fuzz/core-host.ts';
import { present, pte, rw, user, words, writeTables } from '../tools/fuzz/page-tables.ts';
import { seconds } from './harness.ts';

const SELF = 0x7ff0;
const GUEST = 1;
const DOM0 = 0;
const DOMID_XEN = 0x7ff2;

/** A host with dom0 and a PV guest of so many MiB; nothing looks at it after each step. */
function hostWith(mib: number): CoreHost {
  const pages = mibToPages(mib);
  const host = new CoreHost({ nrCpus: 2, totalPages: pages + 0x4000, invariants: {} });
  for (const command of build(DOM0, { vcpus: 1, pages: 8, hvm: false, caller: DOMID_XEN })) host.submit(command);
  for (const command of build(GUEST, { vcpus: 1, pages, hvm: false })) host.submit(command);
  return host;
}

/** How many facts it takes to make a guest of so many MiB, and how many rows its frames have then. */
export function domainOf(mib: number): { readonly facts: number; readonly rows: number } {
  const host = hostWith(mib);
  const facts = host.steps.reduce((sum, { outcome }) => sum + eventsOf(outcome).length, 0);
  return { facts, rows: [...host.xen.mm.all()].length + host.xen.p2m.of(GUEST).length };
}

/** A guest whose four tables map 500 pages. */
export class PageTables {
  private readonly host = hostWith(16);
  private readonly tables = writeTables(this.host, GUEST, 500).tables;
  private readonly base = { domid: GUEST, vcpu: 0, foreigndom: SELF, mfn: this.tables[0]! };

  /** Pins and unpins: all of the tables is looked through twice. */
  pin(times: number): void {
    for (let i = 0; i < times; i++) {
      this.host.submit({ type: 'mmuext.pin_l4_table', ...this.base });
      this.host.submit({ type: 'mmuext.unpin_table', ...this.base });
      this.host.steps.length = 0;
    }
  }
  /** Seconds that it takes to map a page and take it away again so many times. */
  update(times: number): number {
    const { host } = this;
    host.submit({ type: 'mmuext.pin_l4_table', ...this.base });
    const ptr = this.tables[3]! * 4096 + 505 * 8;
    const map = words(pte(host.xen.p2m.mfn(GUEST, 600), present | rw | user));
    const nothing = words(0n);
    const time = seconds(() => {
      for (let i = 0; i < times; i++) {
        host.submit({ type: 'mm.mmu_update', domid: GUEST, vcpu: 0, foreigndom: SELF, ptr, ...(i % 2 === 0 ? map : nothing) });
        host.steps.length = 0;
      }
    });
    host.submit({ type: 'mmuext.unpin_table', ...this.base });
    return time;
  }
}
