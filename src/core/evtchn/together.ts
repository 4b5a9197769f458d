// Ports that are raised in one step, each decided on the state before all of them.
import type { Fact } from '../../../events/vocabulary.ts';

/**
 * One list of facts from several: a port that is pending by then is not raised again, a vCPU is woken once, and ports of one queue
 * (FIFO) stand behind one another.
 */
export function together(...lists: readonly (readonly Fact[])[]): Fact[] {
  const seen = new Set<string>();
  const tails = new Map<string, number>();
  const facts: Fact[] = [];
  for (const fact of lists.flat()) {
    switch (fact.type) {
      case 'evtchn.pending_raised':
      case 'evtchn.pending_saved':
      case 'vcpu.woken': {
        const what = fact.type === 'vcpu.woken' ? `v ${fact.domid} ${fact.vcpu}` : `p ${fact.domid} ${fact.port}`;
        if (seen.has(what)) continue;
        seen.add(what);
        facts.push(fact);
        continue;
      }
      case 'evtchn.fifo_raised': {
        const what = `p ${fact.domid} ${fact.port}`;
        if (seen.has(what)) continue;
        seen.add(what);
        const queue = `${fact.domid} ${fact.vcpu} ${fact.priority}`;
        const tail = tails.get(queue);
        if (!fact.linked) facts.push(fact);
        else facts.push(tail === undefined ? fact : { ...fact, after: tail, upcall: false });
        if (fact.linked) tails.set(queue, fact.port);
        continue;
      }
      default:
        facts.push(fact);
    }
  }
  return facts;
}
