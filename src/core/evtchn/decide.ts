// event_channel_op (xen/common/event_channel.c), two-level ABI.
import { accept, acceptAll, type GuestReader, refuse } from '../../../events/step.ts';
import type { DomId, Ns, Port } from '../../../events/units.ts';
import type { EvtchnCommand, Fact, Outcome } from '../../../events/vocabulary.ts';
import { NR_VIRQS } from '../../abi/virq.ts';
import { wake, wakePollers } from '../sched/decide.ts';
import type { Xen } from '../xen.ts';
import { resolve } from '../xsm.ts';
import { expandArray, initControl, LINKED, leaveFifo, MASKED, PENDING, raiseFifo, readWord, setPriority } from './fifo.ts';
import { isMasked, isPending } from './pending.ts';
import { poll } from './poll.ts';
import { isGlobalVirq, NR_PIRQS, type Ports, virqRow } from './state.ts';

/** Checks a hypercall. Every way of refusing one is in here; `evolve` has none. */
export function decide(xen: Xen, command: EvtchnCommand, now: Ns, guest: GuestReader): Outcome {
  const { domid } = command;
  const ports = xen.evtchn.ports.of(domid);
  if (!ports) return refuse('ESRCH');

  switch (command.type) {
    case 'evtchn.send': {
      const { port } = command;
      switch (ports.state.is(port)) {
        case 'interdomain':
          return acceptAll(raise(xen, ports.remote_dom.at(port), ports.remote_port.at(port), now, guest));
        case 'ipi':
          return acceptAll(raise(xen, domid, port, now, guest));
        case 'unbound':
          return accept(); // nobody listens, and that is no error
        case 'virq':
        case 'pirq':
        case 'free':
          return refuse('EINVAL');
      }
      break;
    }
    case 'evtchn.alloc_unbound': {
      const dom = xen.self(domid, command.dom);
      if (!xen.exists(dom)) return refuse('ESRCH');
      const free = freePort(xen, dom, guest);
      if (!free.ok) return refuse(free.errno);
      // As in Xen, permission is asked for only when there is a port.
      const target = resolve(xen, domid, dom);
      if (!target.ok) return refuse(target.errno);
      const remote_dom = xen.self(domid, command.remote_dom);
      return accept({ port: free.port }, { type: 'evtchn.unbound_allocated', domid: dom, port: free.port, remote_dom });
    }
    case 'evtchn.bind_interdomain': {
      const remote_dom = xen.self(domid, command.remote_dom);
      const { remote_port } = command;
      const theirs = xen.evtchn.ports.of(remote_dom);
      if (!theirs) return refuse('ESRCH');
      const local = freePort(xen, domid, guest);
      if (!local.ok) return refuse(local.errno);
      const local_port = local.port;
      if (theirs.state.is(remote_port) !== 'unbound' || theirs.remote_dom.at(remote_port) !== domid) return refuse('EINVAL');
      // The peer may have sent before we were there, so the new port starts pending, as in Xen.
      return accept(
        { local_port },
        { type: 'evtchn.interdomain_bound', domid, port: local_port, remote_dom, remote_port },
        ...raise(xen, domid, local_port, now, guest),
      );
    }
    case 'evtchn.bind_virq': {
      const { virq, vcpu } = command;
      if (virq < 0 || virq >= NR_VIRQS) return refuse('EINVAL');
      if (isGlobalVirq(virq) && vcpu !== 0) return refuse('EINVAL');
      if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
      if (xen.evtchn.virqs.of(domid)!.port.at(virqRow(virq, vcpu)) !== 0) return refuse('EEXIST');
      const free = freePort(xen, domid, guest);
      if (!free.ok) return refuse(free.errno);
      return accept({ port: free.port }, { type: 'evtchn.virq_bound', domid, port: free.port, virq, vcpu });
    }
    case 'evtchn.bind_ipi': {
      if (!xen.hasVcpu(domid, command.vcpu)) return refuse('ENOENT');
      const free = freePort(xen, domid, guest);
      if (!free.ok) return refuse(free.errno);
      return accept({ port: free.port }, { type: 'evtchn.ipi_bound', domid, port: free.port, vcpu: command.vcpu });
    }
    case 'evtchn.close': {
      const { port } = command;
      return ports.state.is(port) === 'free' ? refuse('EINVAL') : accept({}, { type: 'evtchn.closed', domid, port });
    }
    case 'evtchn.status': {
      const { port } = command;
      const dom = xen.self(domid, command.dom);
      const theirs = xen.evtchn.ports.of(dom);
      if (!theirs) return refuse('ESRCH');
      if (!xen.evtchn.isValid(dom, port)) return refuse('EINVAL');
      const target = resolve(xen, domid, dom);
      if (!target.ok) return refuse(target.errno);
      const state = theirs.state.is(port);
      return accept({
        status: state === 'free' ? 'closed' : state,
        vcpu: theirs.notify_vcpu.at(port),
        remote_dom: theirs.remote_dom.at(port),
        remote_port: theirs.remote_port.at(port),
        virq: theirs.virq.at(port), // or the pirq
      });
    }
    case 'evtchn.bind_pirq': {
      const { pirq } = command;
      if (pirq < 0 || pirq >= NR_PIRQS) return refuse('EINVAL');
      const pirqs = xen.evtchn.pirqs.of(domid);
      if (pirqs?.state.is(pirq) !== 'mapped') return refuse('EPERM');
      if (pirqs.port.at(pirq) !== 0) return refuse('EEXIST');
      const free = freePort(xen, domid, guest);
      if (!free.ok) return refuse(free.errno);
      return accept({ port: free.port }, { type: 'evtchn.pirq_bound', domid, port: free.port, pirq });
    }
    case 'evtchn.bind_vcpu': {
      const { port, vcpu } = command;
      if (!xen.hasVcpu(domid, vcpu)) return refuse('ENOENT');
      if (!xen.evtchn.isValid(domid, port) || !mayMove(ports, port)) return refuse('EINVAL');
      return accept({}, { type: 'evtchn.vcpu_bound', domid, port, vcpu });
    }
    case 'evtchn.reset':
    case 'evtchn.reset_cont': {
      const dom = xen.self(domid, command.dom);
      if (!xen.exists(dom)) return refuse('ESRCH');
      const target = resolve(xen, domid, dom);
      if (!target.ok) return refuse(target.errno);
      if (dom !== domid && xen.domain.of(0)!.controller_pause_count.at(dom) === 0) return refuse('EINVAL');
      // No reset is ever left half done here, so there is none to go on with.
      if (command.type === 'evtchn.reset_cont') return refuse('EBUSY');
      const closed = [...xen.evtchn.ports.inUse(dom)].map(([port]): Fact => ({ type: 'evtchn.closed', domid: dom, port }));
      return accept({}, ...closed, ...leaveFifo(xen, dom));
    }
    case 'evtchn.init_control':
      return initControl(xen, command, guest);
    case 'evtchn.expand_array':
      return expandArray(xen, command, now, guest);
    case 'evtchn.set_priority':
      return setPriority(xen, command);
    case 'sched.poll':
      return poll(xen, command, now, guest);
    case 'evtchn.unmask': {
      const { port } = command;
      if (!xen.evtchn.isValid(domid, port)) return refuse('EINVAL');
      if (ports.state.is(port) === 'free') return accept(); // room for a port, but nothing to unmask
      const page = xen.sharedInfo(domid);
      const unmasked: Fact = { type: 'evtchn.unmasked', domid, port };
      if (xen.evtchn.isFifo(domid)) {
        const word = readWord(xen, domid, port, guest);
        const before: Fact[] = (word & MASKED) !== 0 ? [unmasked] : [];
        const after = (word & PENDING) !== 0 ? raiseFifo(xen, domid, port, now, guest, true) : [];
        return accept({}, ...before, ...after);
      }
      if (!isMasked(xen, domid, guest, port)) return accept();
      if (!isPending(guest, page, port)) return accept({}, unmasked);
      const vcpu = ports.notify_vcpu.at(port);
      return accept(
        {},
        unmasked,
        { type: 'evtchn.pending_raised', domid, port, vcpu, upcall: true },
        ...wake(xen, domid, vcpu, now),
      );
    }
    default:
      return command satisfies never;
  }
}

/** Whether a port can be told to notify another vCPU: not those that belong to one. */
function mayMove(ports: Ports, port: Port): boolean {
  switch (ports.state.is(port)) {
    case 'unbound':
    case 'interdomain':
    case 'pirq':
      return true;
    case 'virq':
      return isGlobalVirq(ports.virq.at(port));
    case 'free':
    case 'ipi':
      return false;
  }
}

/** What raising a port leads to: nothing where it is pending already (evtchn_2l_set_pending()). */
export function raise(xen: Xen, domid: DomId, port: Port, now: Ns, guest: GuestReader): Fact[] {
  if (xen.evtchn.isFifo(domid)) return raiseFifo(xen, domid, port, now, guest);
  const page = xen.sharedInfo(domid);
  if (page === 0 || isPending(guest, page, port)) return [];
  const vcpu = xen.evtchn.ports.of(domid)!.notify_vcpu.at(port);
  const upcall = !isMasked(xen, domid, guest, port, page);
  const raised: Fact = { type: 'evtchn.pending_raised', domid, port, vcpu, upcall };
  const woken = upcall ? wake(xen, domid, vcpu, now) : [];
  return woken.length > 0 ? [raised, ...woken] : [raised, ...wakePollers(xen, domid, port, now)];
}

/** What a virtual interrupt leads to: nothing where nobody has bound it. */
export function raiseVirq(xen: Xen, domid: DomId, vcpu: number, virq: number, now: Ns, guest: GuestReader): Fact[] {
  const port = xen.evtchn.virqs.of(domid)?.port.at(virqRow(virq, vcpu)) ?? 0;
  return port === 0 ? [] : raise(xen, domid, port, now, guest);
}

/** A VIRQ of the whole host goes to the domain that handles it: dom0, or who has been given it (send_global_virq()). */
export const raiseGlobalVirq = (xen: Xen, virq: number, now: Ns, guest: GuestReader): Fact[] =>
  raiseVirq(xen, xen.evtchn.handlers.of(0)!.domid.at(virq), 0, virq, now, guest);

/** The lowest ports that are free, as many as are wanted, for those who allocate several in one step. */
export function freePorts(
  xen: Xen,
  domid: DomId,
  wanted: number,
  guest: GuestReader,
): { ok: true; ports: readonly Port[] } | { ok: false; errno: 'EINVAL' | 'ENOSPC' } {
  const ports: Port[] = [];
  while (ports.length < wanted) {
    const free = freePort(xen, domid, guest, (ports.at(-1) ?? 0) + 1);
    if (!free.ok) return free;
    ports.push(free.port);
  }
  return { ok: true, ports };
}

/** The lowest port that is free (get_free_port()). Port 0 is never given out, and a dying domain gets none. */
function freePort(
  xen: Xen,
  domid: DomId,
  guest: GuestReader,
  from: Port = 1,
): { ok: true; port: Port } | { ok: false; errno: 'EINVAL' | 'ENOSPC' } {
  if (!xen.isAlive(domid)) return { ok: false, errno: 'EINVAL' };
  const ports: Ports = xen.evtchn.ports.of(domid)!;
  const { free_port_hint, max_evtchn_port } = xen.domain.of(0)!;
  // What the guest has not taken off its queue yet is nobody's (evtchn_fifo_is_busy()).
  const isFifo = xen.evtchn.isFifo(domid);
  const isOnQueue = (port: Port): boolean => isFifo && (readWord(xen, domid, port, guest) & LINKED) !== 0;
  const limit = Math.min(max_evtchn_port.at(domid), xen.maxPorts(domid) - 1);
  for (let port = Math.max(from, free_port_hint.at(domid)); port <= limit; port++)
    if (ports.state.at(port) === 0 && !isOnQueue(port)) return { ok: true, port };
  return { ok: false, errno: 'ENOSPC' };
}
