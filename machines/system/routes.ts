// Fact type -> the actors that it makes, concerns or ends. What stands in no case here is for the tables alone.
import type { Errno } from '../../events/errno.ts';
import type { Fact, FactOf } from '../../events/vocabulary.ts';
import { FIRST_SOCKET } from '../../events/xenstore.ts';
import { answerOf } from '../../src/xenstore/index.ts';
import type { Kind } from '../kinds.ts';
import type { Directory } from './directory.ts';

/** `origin` is who asked for what the fact came of. */
export function route(directory: Directory, fact: Fact, seq: number, origin: string): void {
  switch (fact.type) {
    case 'domain.created':
      directory.spawn(`d${fact.domid}`, 'domain', { domid: fact.domid });
      return;
    case 'domain.vcpus_allocated':
      for (let vcpu = 0; vcpu < fact.count; vcpu++)
        directory.spawn(`d${fact.domid}v${vcpu}`, 'vcpu', { domid: fact.domid, vcpu });
      return;
    case 'domain.paused':
    case 'domain.unpaused':
    case 'domain.shut_down':
    case 'domain.dying_started':
    case 'domain.relinquished':
      directory.send(`d${fact.domid}`, fact);
      return;
    case 'domain.destroyed':
      directory.removeDomain(fact.domid);
      return;

    case 'vcpu.woken':
    case 'vcpu.unpaused':
    case 'vcpu.brought_up':
    case 'vcpu.brought_down':
    case 'vcpu.detached':
    case 'vcpu.parked':
    case 'vcpu.unparked':
      directory.send(`d${fact.domid}v${fact.vcpu}`, fact);
      return;
    case 'pcpu.brought_down':
    case 'pcpu.brought_up':
      if (!directory.has(`p${fact.cpu}`)) directory.spawn(`p${fact.cpu}`, 'pcpu', { cpu: fact.cpu });
      directory.send(`p${fact.cpu}`, fact);
      return;
    case 'vcpu.scheduled':
      directory.send(`d${fact.domid}v${fact.vcpu}`, fact);
      if (!directory.has(`p${fact.cpu}`)) directory.spawn(`p${fact.cpu}`, 'pcpu', { cpu: fact.cpu });
      directory.send(`p${fact.cpu}`, fact);
      return;
    case 'vcpu.blocked':
    case 'vcpu.preempted':
    case 'vcpu.paused': {
      const id = `d${fact.domid}v${fact.vcpu}`;
      // The fact does not say which pCPU it leaves; the vCPU's actor remembers.
      const cpu = directory.context(id)?.['cpu'];
      directory.send(id, fact);
      if (typeof cpu === 'number' && cpu >= 0) directory.send(`p${cpu}`, fact);
      return;
    }

    case 'xenstore.watch_registered':
      directory.spawn(watchId(fact), 'watch', {
        conn: fact.conn,
        path: fact.path,
        token: fact.token,
        owner: directory.hasParty(origin) ? origin : '',
      });
      return;
    case 'xenstore.watch_removed':
      directory.remove(watchId(fact));
      return;
    case 'xenstore.watch_fired': {
      const id = watchOf(directory, fact);
      directory.send(id, fact);
      // Connections of dom0 are not behind a ring: whoever set the watch hears at once, if it is an actor. A token may say anything.
      if (fact.conn === 0 || fact.conn >= FIRST_SOCKET) directory.send(String(directory.context(id)?.['owner'] ?? ''), fact);
      return;
    }

    case 'guest.started':
      directory.spawn(`d${fact.domid}.kernel`, fact.domid === 0 ? 'dom0Kernel' : 'guestKernel', fact);
      return;
    case 'guest.process_started':
      directory.spawn(`d${fact.domid}.${fact.name}`, fact.program as Kind, {
        domid: fact.domid,
        name: fact.name,
        args: fact.args,
      });
      return;
    case 'guest.process_exited':
      directory.remove(`d${fact.domid}.${fact.name}`);
      directory.send(`d${fact.domid}.kernel`, fact);
      return;
    case 'guest.device_changed':
      directory.send(`d${fact.domid}.kernel`, fact);
      return;
    case 'guest.devices_stopping':
      for (const id of directory.ids()) if (id.startsWith(`d${fact.domid}.vbd.`)) directory.send(id, fact);
      return;
    case 'guest.work_finished':
      directory.send(fact.issuer, fact);
      return;
    case 'hvc.input_received':
      directory.send(`d${fact.domid}.tty`, fact);
      return;
    case 'xenbus.reply_received':
      directory.send(fact.issuer, replyAsReturn(fact));
      return;
    case 'xenbus.watch_received':
      directory.send(`d${fact.domid}.${fact.token}`, {
        type: 'xenstore.watch_fired',
        conn: fact.domid,
        path: fact.path,
        token: fact.token,
      } as FactOf<'xenstore.watch_fired'>);
      return;

    case 'host.booted':
      directory.spawn('boot', 'hostBoot', {});
      return;
    case 'xl.job_started':
      directory.spawn(`xl.${fact.job}`, 'xl', { job: fact.job, argv: fact.argv, files: fact.files });
      return;
    case 'xl.exited':
      directory.remove(`xl.${fact.job}`);
      return;
    case 'xl.config_stored':
      // What `xl create` leaves behind: whoever acts when the domain has shut down.
      directory.spawn(`xl.daemon.${fact.domid}`, 'xlDaemon', { domid: fact.domid, config: fact.config });
      return;
    case 'bootloader.finished':
      directory.send(fact.job < 0 ? `xl.daemon.${-fact.job}` : `xl.${fact.job}`, fact);
      return;
    case 'hotplug.started':
      directory.spawn(`hotplug.${seq}`, 'hotplug', { ...fact, id: `hotplug.${seq}` });
      return;
    case 'hotplug.finished':
      // A daemon's scripts answer to its domain's number below zero.
      directory.send(fact.job < 0 ? `xl.daemon.${-fact.job}` : `xl.${fact.job}`, fact);
      return;
  }
}

/** A path has no colon, a token may have anything: so no two watches share an id. */
export const watchId = ({ conn, path, token }: { conn: number; path: string; token: string }): string =>
  `watch.${conn}.${path}:${token}`;

/** The watch that has fired, by its actor's id: on the node itself, or the nearest above it with this token. */
function watchOf(directory: Directory, { conn, path, token }: FactOf<'xenstore.watch_fired'>): string {
  let node = path;
  for (;;) {
    const id = watchId({ conn, path: node, token });
    if (node === '/' || directory.has(id)) return id;
    const slash = node.lastIndexOf('/');
    // Above a relative path's first name there is none, above an absolute one's the root.
    if (slash < 0) return id;
    node = slash === 0 ? '/' : node.slice(0, slash);
  }
}

/** What came back over a ring, as the return of the command that was sent. */
function replyAsReturn({ request, ok, payload }: FactOf<'xenbus.reply_received'>): { readonly type: string } {
  if (!ok) return { type: `refused.${request}`, errno: payload.replace('\0', '') as Errno } as { readonly type: string };
  return { type: `accepted.${request}`, ...answerOf(request, payload) };
}
