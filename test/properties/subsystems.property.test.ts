// A whole host under any commands, right and wrong: what always holds, and that its log is all there is to know of it.
// FC_REPLAY='{"seed":...,"path":"..."}' finds a reported counterexample again; XENOLOG_FUZZ_RUNS is how many runs to try.
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { Log, LogWriter, type RunHeader } from '../../events/log.ts';
import { eventsOf } from '../../events/step.ts';
import { MS, SECOND } from '../../events/units.ts';
import type { Command, Step } from '../../events/vocabulary.ts';
import { BlockBackend } from '../../machines/executor/block-backend.ts';
import { Disks } from '../../machines/executor/disks.ts';
import { GuestBlock } from '../../machines/executor/guest-block.ts';
import { GuestConsole } from '../../machines/executor/guest-console.ts';
import { GuestXenbus } from '../../machines/executor/guest-xenbus.ts';
import { Privates } from '../../machines/executor/private.ts';
import type { System } from '../../machines/executor/system.ts';
import type { Dispatcher } from '../../machines/index.ts';
import { CONSOLE_GFN, LIMITS, STORE_GFN } from '../../src/guest/state.ts';
import { decide, evolve, type Host } from '../../src/host.ts';
import { hostViolations } from '../../src/invariants.ts';
import { PlaybackReader } from '../../src/memory/reader.ts';
import { BLKIF_OP, blkif } from '../../src/xenbus/ring/blkif.ts';
import { initRing, SRING } from '../../src/xenbus/ring/ring.ts';
import { bootedPlainHost, hostBoot, hostRuns, PlainHost, perform, plainConfig } from '../../tools/fuzz/index.ts';
import { livecdAt } from '../livecd.ts';

const replay = JSON.parse(process.env['FC_REPLAY'] ?? '{}') as { seed?: number; path?: string };
const numRuns = Number(process.env['XENOLOG_FUZZ_RUNS'] ?? 60);

const header: RunHeader = { xenolog: '0', seed: 1, xen_version: '4.17', host: plainConfig, images: [] };
const emptyHost = (): Host => new PlainHost().host;

/** Through the log's bytes and back. */
function logged(steps: readonly Step[]): Step[] {
  const parts: Uint8Array[] = [];
  const writer = new LogWriter(header, (bytes) => parts.push(bytes.slice()));
  for (const step of steps) writer.append(step);
  writer.end({ steps: steps.length, state: 0, memory: 0 });
  return [...new Log(new Uint8Array(Buffer.concat(parts))).steps()];
}

test('invariants hold after any commands; the log keeps, folds and verifies them; one mark undoes all of it', () => {
  fc.assert(
    fc.property(hostRuns, (acts) => {
      const machine = bootedPlainHost();
      const { host, memory, steps } = machine;
      const before = { host: host.digest(), memory: memory.digest() };
      const start = emptyHost();
      start.restore(host.snapshot());
      const mark = host.journal.mark();

      for (const act of acts) perform(act, host, machine.submit);

      const read = logged(steps);
      expect(read).toEqual(steps);

      // One host decides each step again, on what it read then; it is folded on the way.
      const second = emptyHost();
      for (const step of read) {
        const reader = new PlaybackReader(step.reads);
        const now = decide(second, step.command, step.time, reader);
        expect([step.seq, reader.exhausted, now]).toEqual([step.seq, true, step.outcome]);
        for (const event of eventsOf(step.outcome)) evolve(second, event, step.seq);
      }
      expect([...second.diff(host)]).toEqual([]);
      expect(second.digest()).toBe(host.digest());

      host.journal.rollback(mark);
      expect([...start.diff(host)]).toEqual([]);
      expect({ host: host.digest(), memory: memory.digest() }).toEqual(before);
    }),
    { numRuns, ...replay },
  );
});

test('a fact that comes where it does not belong harms nothing', () => {
  fc.assert(
    fc.property(hostRuns, (acts) => {
      const machine = bootedPlainHost();
      for (const act of acts) perform(act, machine.host, machine.submit);
      // Facts of these subsystems, on a host that knows none of it.
      const stranger = bootedPlainHost().host;
      const own = /^(guest|hvc|xenbus|console|vbd|xl|host|bootloader|hotplug)\./;
      for (const { seq, outcome } of machine.steps.slice(hostBoot.length))
        for (const event of eventsOf(outcome)) if (own.test(event.type)) evolve(stranger, event, seq);
      expect(stranger.digest()).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: Math.ceil(numRuns / 5) },
  );
});

describe('a kernel and its backend, at work on a plain host', () => {
  const VDEV = 51712;
  const { x86_64: protocol } = blkif;

  /** Domain 1 has a kernel; `disk` is what /dev/xvda holds. */
  function world(disk: Uint8Array<ArrayBuffer> = new Uint8Array(2048 * 512)) {
    const plain = bootedPlainHost();
    const { host, memory, steps, submit } = plain;
    const system: System = {
      host,
      memory,
      now: 0,
      get lastSeq() {
        return steps.length - 1;
      },
      hypercall: submit,
      image: () => ({ sectors: 2048, read: (sector, into) => into.set(disk.subarray(sector * 512, sector * 512 + into.length)) }),
      spend() {},
    };
    plain.prepare(
      { type: 'evtchn.alloc_unbound', domid: 1, dom: 1, remote_dom: 0 },
      { type: 'xc.dom_boot_image', domid: 1, kernel: 'k', cmdline: '', store_port: 1, console_port: 1 },
      { type: 'guest.start', domid: 1 },
    );
    return { plain, host, memory, steps, system, privates: new Privates(host.journal) };
  }
  const giveAway = (gfn: number): Command => ({ type: 'memory.decrease_reservation', domid: 1, dom: 1, gfn, nr_pages: 1 });

  /** A disk with its ring on the page behind reference 8, which dom0 may write. */
  function withDisk(disk?: Uint8Array<ArrayBuffer>) {
    const made = world(disk);
    const { plain, host, memory } = made;
    plain.prepare(
      { type: 'guest.grant_page', domid: 1, remote_dom: 0, readonly: false },
      { type: 'vbd.connect_frontend', domid: 1, vdev: VDEV, ring_gfn: 24, ring_ref: 8, port: 1, backend: 0 },
      { type: 'vbd.open_disk', domid: 0, frontend: 1, vdev: VDEV, params: '/disk', readonly: false },
    );
    const ring = host.xen.p2m.mfn(1, 24);
    initRing(memory, ring);
    plain.prepare({ type: 'vbd.connect_backend', domid: 0, frontend: 1, vdev: VDEV, ring_mfn: ring, ring_handle: 0, port: 1 });
    return { ...made, ring };
  }
  const count = (steps: readonly Step[], type: Command['type']): number =>
    steps.filter(({ command }) => command.type === type).length;

  test('what is printed and not read waits, up to a limit', () => {
    const { system, privates } = world();
    const console = new GuestConsole(system, privates);
    for (let i = 0; i < 3; i++) console.write(1, 'x'.repeat(LIMITS.text));
    expect(privates.get(1).hvcTx.length).toBeLessThanOrEqual(LIMITS.text);
    expect(privates.get(1).hvcTx.length).toBeGreaterThan(LIMITS.text - 4096);
  });

  test('requests that nobody answers come to an end, and what is refused is not sent', () => {
    const { system, privates, host } = world();
    const xenbus = new GuestXenbus(system, privates);
    const read: Command = { type: 'xenstore.read', conn: 0, tx: 0, path: 'name' };
    for (let i = 0; i < LIMITS.requests; i++) xenbus.send(1, read, 'd1.tty', 0);
    const { length } = privates.get(1).storeTx;
    xenbus.send(1, read, 'd1.tty', 0);
    expect(host.guests.records.get(1)!.requests.length).toBe(LIMITS.requests);
    expect(privates.get(1).storeTx.length).toBe(length);
  });

  test('a guest without the pages of its rings writes nowhere', () => {
    const { plain, system, privates, memory } = world();
    plain.prepare(giveAway(CONSOLE_GFN), giveAway(STORE_GFN));
    const console = new GuestConsole(system, privates);
    const xenbus = new GuestXenbus(system, privates);
    const block = new GuestBlock(system, privates);
    plain.prepare({ type: 'vbd.connect_frontend', domid: 1, vdev: VDEV, ring_gfn: 9999, ring_ref: 8, port: 1, backend: 0 });
    const before = memory.digest();
    console.write(1, 'x');
    console.receive(1, 'd1v0');
    xenbus.send(1, { type: 'xenstore.read', conn: 0, tx: 0, path: 'name' }, 'd1.tty', 0);
    xenbus.receive(1, 'd1v0');
    block.connect(1, VDEV);
    block.receive(1, VDEV, 'd1v0');
    const request = { vdev: VDEV, sector: 0, nr_sectors: 8, cache: undefined, work: 1 };
    expect([xenbus.flush(1, 'd1v0'), console.flush(1, 'd1v0'), block.submit(1, 'read', request, 'd1v0', 0)]).toEqual([
      false,
      false,
      false,
    ]);
    expect(memory.resident().filter((mfn) => mfn < 0)).toEqual([]);
    expect(memory.digest()).toBe(before);
  });

  test('a backend that answers what nobody asked is not believed, and moves nothing', () => {
    const { system, privates, host, memory, steps, ring } = withDisk();
    const block = new GuestBlock(system, privates);
    block.submit(1, 'read', { vdev: VDEV, sector: 0, nr_sectors: 8, cache: undefined, work: 1 }, 'd1v0', 0);
    const digest = host.digest();
    for (const id of [7n, 99n, 2n ** 64n - 1n]) {
      protocol.writeResponse(memory, ring, SRING.ring, { id, operation: 0, status: 0 });
      memory.put32(ring, SRING.rsp_prod, 1);
      block.receive(1, VDEV, 'd1v0');
      expect(steps.at(-1)!.outcome).toEqual({ ok: false, errno: 'EINVAL' });
      expect(Number.isSafeInteger((steps.at(-1)!.command as { id: number }).id)).toBe(true);
    }
    expect(host.digest()).toBe(digest);
    expect(privates.get(1).inflight.length).toBe(1);
  });

  test('who waits for a device that has gone waits no more', () => {
    const { plain, system, privates } = withDisk();
    const block = new GuestBlock(system, privates);
    const request = { vdev: VDEV, sector: 0, nr_sectors: 8, cache: undefined, work: 1 };
    block.submit(1, 'read', request, 'd1v0', 0);
    block.abandon(1, VDEV);
    expect(privates.get(1).inflight.length).toBe(1);
    plain.prepare({ type: 'vbd.disconnect', domid: 1, frontend: 1, vdev: VDEV });
    block.abandon(1, VDEV);
    expect(privates.get(1).inflight).toEqual([]);
  });

  test('a ring that a disk is read into is served once a slot', () => {
    // Page k of the disk is a ring that shows one request more: to read page k + 1 over itself.
    const disk = new Uint8Array(2048 * 512);
    const scratch = withDisk();
    const pages = 200;
    for (let page = 0; page < pages; page++) {
      const { memory, ring } = scratch;
      memory.write(ring, 0, new Uint8Array(4096));
      memory.put32(ring, SRING.req_prod, page + 2);
      const at = SRING.ring + ((page + 1) % protocol.nr_ents) * protocol.entry_size;
      protocol.writeRequest(memory, ring, at, {
        operation: BLKIF_OP.READ,
        handle: 0,
        id: BigInt(page + 1),
        sector_number: (page + 1) * 8,
        segments: [{ gref: 8, first_sect: 0, last_sect: 7 }],
      });
      disk.set(memory.read(ring, 0, 4096), page * 4096);
    }
    const { system, memory, ring, steps } = withDisk(disk);
    memory.write(ring, 0, disk.subarray(199 * 4096, 200 * 4096));
    memory.put32(ring, SRING.req_prod, 1);
    protocol.writeRequest(memory, ring, SRING.ring, {
      operation: BLKIF_OP.READ,
      handle: 0,
      id: 0n,
      sector_number: 0,
      segments: [{ gref: 8, first_sect: 0, last_sect: 7 }],
    });
    new BlockBackend(system, new Disks(system)).serve(0, 1, VDEV, 0);
    expect(count(steps, 'vbd.note_served')).toBe(protocol.nr_ents);
  });
});

describe('a guest of the Live CD that has gone mad', () => {
  let live: Dispatcher;
  beforeAll(() => {
    live = livecdAt(10 * SECOND).dispatcher;
  });
  /** What is tried is undone. */
  function tried(commands: readonly Command[], look: () => void): void {
    const rollback = live.mark();
    try {
      for (const command of commands) live.input(command, 'fuzz');
      live.run(live.now + 300 * MS);
      expect([...hostViolations(live.host)]).toEqual([]);
      expect(Number.isSafeInteger(live.now)).toBe(true);
      look();
    } finally {
      rollback();
    }
  }
  test.each(['mount', 'readdir', 'read_file', 'read_disk', 'write_disk', 'clock'] as const)(
    'asks for %s with arguments that make no sense, and is answered',
    (kind) => {
      const nonsense = [[], ['x'], ['-1', '-1', '-1'], ['NaN', 'NaN', 'NaN'], ['51712', 'x', 'x'], ['51712', '1e9', '1e9']];
      const works = nonsense.map((args): Command => ({ type: 'guest.start_work', domid: 1, issuer: 'd1.x', kind, args }));
      // A key wakes the vCPU.
      tried([...works, { type: 'console.input', dom: 1, text: '\n' }], () => {
        expect(live.host.guests.records.get(1)!.works.filter((work) => work.kind === kind)).toEqual([]);
      });
    },
  );

  test('gives away every page that it can', () => {
    const gfns = Array.from({ length: 200 }, (_, gfn) => gfn);
    const commands = gfns.map((gfn): Command => ({ type: 'memory.decrease_reservation', domid: 1, dom: 1, gfn, nr_pages: 1 }));
    const typed: Command = { type: 'console.input', dom: 1, text: 'livexen\nlive\ndd if=/dev/xvda bs=4096 count=64\n' };
    tried([...commands, typed], () => {
      expect(live.memory.resident().filter((mfn) => mfn < 0)).toEqual([]);
    });
  });

  test('disconnects its disk while it reads', () => {
    const typed: Command = { type: 'console.input', dom: 1, text: 'livexen\nlive\ndd if=/dev/xvda bs=4096 count=64\n' };
    tried([typed, { type: 'vbd.disconnect', domid: 1, frontend: 1, vdev: 51712 }], () => {
      expect([...live.host.vbds.request.inUse(1)]).toEqual([]);
    });
  });
});
