// A guest that makes its hypercalls itself: a number and registers, with structures in its own memory.
//
//   npx tsc -b && node dist/examples/raw-hypercalls/main.js
import { evtchn_alloc_unbound } from '../../src/abi/event-channel.ts';
import type { CoreCommand } from '../../src/core/index.ts';
import { completeHypercall, type Port, pseudoPhysical } from '../../src/hypercall/index.ts';
import { bootedHost } from '../../tools/fuzz/index.ts';

const __HYPERVISOR_event_channel_op = 32;
const EVTCHNOP_alloc_unbound = 6n;
const DOMID_SELF = 0x7ff0;

/** Domain 1 opens a port for dom0, in bytes, and then with a pointer that leads nowhere. */
export function guest(say: (line: string) => void): void {
  const host = bootedHost();
  const port: Port = {
    xen: host.xen,
    memory: host.memory,
    // What this guest's pointers mean: byte addresses in its pages. A processor would walk page tables here.
    space: pseudoPhysical(host.xen, 1),
    step: (command, batch) => host.submit(command as CoreCommand, batch),
    preempt: () => false,
  };
  const caller = { domid: 1, vcpu: 0, width: 64 } as const;

  // The structure stands at byte 0x40 of the guest's third page.
  const layout = evtchn_alloc_unbound.x86_64;
  const [mfn, offset] = [host.xen.p2m.mfn(1, 2), 0x40];
  const struct = new Uint8Array(layout.size);
  layout.write(struct, { dom: DOMID_SELF, remote_dom: 0 });
  host.memory.write(mfn, offset, struct);

  const rc = completeHypercall(port, caller, __HYPERVISOR_event_channel_op, [EVTCHNOP_alloc_unbound, 0x2040n]);
  const answer = layout.read(host.memory.read(mfn, offset, layout.size))!;
  say(`returns ${rc}, and the structure says port ${answer.port}`);
  say(JSON.stringify(host.steps.at(-1)!.command));

  say(`returns ${completeHypercall(port, caller, __HYPERVISOR_event_channel_op, [EVTCHNOP_alloc_unbound, 0xdead0000n])}`);
  say(JSON.stringify(host.steps.at(-1)!.command));
}
