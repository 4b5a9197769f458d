import { describe, expect, test } from 'vitest';
import { MS, SECOND } from '../../../events/units.ts';
import { bootedHost } from '../../../tools/fuzz/booted-host.ts';
import { type CoreHost, smallMachine } from '../../../tools/fuzz/core-host.ts';
import { VIRQ } from '../../abi/virq.ts';
import type { CoreCommand } from '../index.ts';

const read = (over: object = {}): CoreCommand => ({
  ...{ type: 'sysctl.readconsole', domid: 0, clear: false, incremental: false, index: 0, count: 100_000 },
  ...over,
});
const ring = (host: CoreHost, over: object = {}): string => (host.answer(read(over)) as { buffer: string }).buffer;
const write = (domid: number, text: string): CoreCommand => ({ type: 'console_io.write', domid, text });
const crash = (domid: number): CoreCommand => ({ type: 'vcpu.domain_crash', domid, vcpu: 0, why: 'test' });
const keys = (keys: string): CoreCommand => ({ type: 'sysctl.debug_keys', domid: 0, keys });
const host = (commandline = '', verboseDebug = false): CoreHost => bootedHost({ ...smallMachine, commandline, verboseDebug });
/** What has come into the ring since it was last cleared. */
const fresh = (at: CoreHost): string => ring(at, { clear: true });
const cleared = (commandline = '', verboseDebug = false): CoreHost =>
  host(commandline, verboseDebug).prepare(read({ clear: true }));

describe('the ring', () => {
  test('begins with what Xen prints at boot', () => {
    const text = ring(host('loglvl=all'));
    expect(text.split('\n').every((line) => line === '' || line.startsWith('(XEN) '))).toBe(true);
    expect(text).toContain('(XEN) Command line: loglvl=all\n');
    expect(text).toContain('Brought up 2 CPUs');
    expect(text).toContain('Hardware Assisted Paging');
  });
  test('... as far as its level goes', () => {
    expect(ring(host())).not.toContain('Hardware Assisted Paging');
  });
  test('is read from where the last reading ended, and forgets what was cleared', () => {
    const at = host();
    const first = at.answer(read({ count: 10 })) as { buffer: string; count: number; index: number };
    expect(first).toMatchObject({ count: 10, index: 10 });
    expect(first.buffer + ring(at, { incremental: true, index: 10 })).toBe(ring(at));
    expect(ring(at, { incremental: true, index: 2 ** 31 })).toBe(ring(at));
    expect(fresh(at)).not.toBe('');
    expect(ring(at)).toBe('');
  });
  test('holds its size, and the oldest goes first', () => {
    const at = cleared('console_to_ring');
    for (let i = 0; i < 40; i++) at.prepare(write(0, `${String(i).padStart(3, '0')}${'x'.repeat(997)}`));
    const text = ring(at);
    expect(text).toHaveLength(16384);
    expect(text.slice(-1000, -997)).toBe('039');
    expect(text.includes('022xxx')).toBe(false);
  });
  test.each([
    ['', 16384],
    ['conring_size=64k', 65536],
    ['conring_size=20', 32768],
    ['conring_size=1', 16384],
    ['loglvl=all', 16384],
  ])('with "%s" has %i bytes', (commandline, size) => {
    expect(host(commandline).xen.console.size).toBe(size);
  });
  test('is for dom0', () => {
    expect(host().answer(read({ domid: 1 }))).toBe('EPERM');
    expect(host().answer({ type: 'sysctl.debug_keys', domid: 1, keys: 'h' })).toBe('EPERM');
  });
  test('tells who listens', () => {
    const at = cleared().prepare({ type: 'evtchn.bind_virq', domid: 0, virq: VIRQ.CON_RING, vcpu: 0 });
    expect(at.types(keys('m'))).toContain('evtchn.pending_raised');
    at.prepare({ type: 'domctl.set_virq_handler', domid: 0, domain: 1, virq: VIRQ.CON_RING });
    expect(at.types(keys('m'))).not.toContain('evtchn.pending_raised');
  });
});

describe('levels', () => {
  test.each([
    ['', true],
    ['loglvl=none', false],
    ['loglvl=error', true],
  ])('with "%s", a crash is printed: %s', (commandline, printed) => {
    const at = cleared(commandline).prepare(crash(1));
    expect(fresh(at).includes('Domain 1 (vcpu#0) crashed on cpu#0: test')).toBe(printed);
  });
  /** Something that a guest's device model can have Xen say. */
  const provoke: CoreCommand = {
    ...{ type: 'domctl.ioport_mapping', domid: 0, domain: 1, first_gport: 1, first_mport: 1, nr_ports: 1 },
    add_mapping: true,
  };
  const provoked = (commandline: string, times: number): CoreHost => {
    const at = cleared(commandline);
    for (let i = 0; i < times; i++) at.submit(provoke);
    return at;
  };
  const lines = (at: CoreHost): number => fresh(at).split('\n').length - 1;
  test('what guests provoke is printed ten times, then once in five seconds', () => {
    const at = provoked('', 15);
    expect(lines(at)).toBe(10);
    at.advance(5 * SECOND);
    at.submit(provoke);
    expect(fresh(at).split('\n')).toEqual(['(XEN) printk: 5 messages suppressed.', '(XEN) ioport_map: d1 is not HVM', '']);
    at.advance(5 * SECOND - MS);
    at.submit(provoke);
    expect(lines(at)).toBe(0);
  });
  test.each([
    ['guest_loglvl=error', 15],
    ['guest_loglvl=none', 0],
    ['guest_loglvl=none/all', 10],
    ['guest_loglvl=nonsense', 15],
  ])('with "%s", 15 of them are %i lines', (commandline, expected) => {
    expect(lines(provoked(commandline, 15))).toBe(expected);
  });
  test('keys move them', () => {
    const at = cleared('guest_loglvl=none').prepare(keys('G++'));
    expect(fresh(at)).toContain("'+' pressed -> guest log level: errors and warnings");
    at.submit(provoke);
    expect(lines(at)).toBe(1);
    at.prepare(keys('---'), read({ clear: true }));
    at.submit(provoke);
    expect(at.xen.console.thresholds).toEqual({ lower: 2, upper: 2, guest_lower: 0, guest_upper: 2 });
  });
});

describe('console_io', () => {
  test("dom0's output goes out, and into the ring only if it is to", () => {
    expect(cleared().types(write(0, 'hello'))).toEqual(['console_io.written']);
    expect(fresh(cleared('console_to_ring').prepare(write(0, 'hello')))).toBe('hello');
  });
  test('a guest may not write on a release build', () => {
    expect(host().answer(write(1, 'hello\n'))).toBe('EPERM');
  });
  test('... on another its lines have its number', () => {
    const at = cleared('guest_loglvl=all', true).prepare(write(1, 'hel'), write(2, 'who\x07?\n'), write(1, 'lo\nnext'));
    expect(fresh(at)).toBe('(d2) who?\n(d1) hello\n');
    at.prepare(write(1, 'x'.repeat(400)));
    expect(fresh(at).split('\n')[0]).toBe(`(d1) next${'x'.repeat(254)}`);
  });
  test('what is typed is for dom0, or after three times CTRL-a for Xen', () => {
    const at = cleared();
    expect(at.answer({ type: 'console_io.receive', text: 'ab\x01c' })).toEqual({});
    expect(at.answer({ type: 'console_io.read', domid: 0, count: 2 })).toEqual({ text: 'ab' });
    expect(at.answer({ type: 'console_io.read', domid: 0, count: 9 })).toEqual({ text: '\x01c' });
    at.prepare({ type: 'console_io.receive', text: '\x01\x01\x01h' });
    expect(fresh(at)).toContain("key 'q' (ascii '71')");
    expect(at.answer({ type: 'console_io.read', domid: 0, count: 9 })).toEqual({ text: '' });
  });
  test.each<[CoreCommand, unknown]>([
    [{ type: 'console_io.read', domid: 1, count: 1 }, 'EPERM'],
    [{ type: 'console_io.read', domid: 0, count: 2 ** 31 }, 'E2BIG'],
  ])('%o', (command, expected) => {
    expect(host().answer(command)).toEqual(expected);
  });
});

describe('debug keys', () => {
  test.each([
    ['q', 'General information for domain 1:'],
    ['e', 'Event channels of domain 1:'],
    ['g', 'grant table of d1: 1 frames (4 max)'],
    ['m', 'Dom heap: '],
    ['r', 'Runnable: 3'],
    ['0', 'd0v1: offline on CPU0'],
    ['d', 'CPU1: idle'],
    ['i', 'd1 pirq 9: not bound'],
    ['Q', '0000:01:00.2 - d0'],
    ['*', '[m: memory]'],
    ['c', 'CPU1: C0 C1 C3'],
    ['s', 'd1: always_emulate, answered by Xen, offset -5 ns, incarnation 2'],
    ['n', 'd0v0: none is pending'],
    ['N', 'CPU0 takes it, and tells dom0'],
    ['v', 'd2v0: has begun, event 2a injected'],
    ['z', 'pin  9: vector 31, level, active low'],
    ['M', '0000:01:00.2: MSI-X table set aside, d0'],
    ['I', 'd2: ISA 4; PCI none; links to 0 0 0 0'],
    ['x', 'none is loaded'],
    ['o', 'there is no IOMMU'],
    ['C', 'no kernel was loaded for it'],
    ['*', '[I: interrupt lines of HVM domains]'],
  ])('%s answers from what there is', (key, expected) => {
    const at = cleared().prepare(
      { type: 'physdev.map_pirq', domid: 0, dom: 1, pirq: 9 },
      { type: 'physdev.manage_pci_add', domid: 0, bus: 1, devfn: 2 },
      { type: 'physdev.prepare_msix', domid: 0, seg: 0, bus: 1, devfn: 2 },
      { type: 'physdev.setup_gsi', domid: 0, gsi: 9, triggering: 1, polarity: 1 },
      { type: 'physdev.apic_write', domid: 0, apic_physbase: '0xfec00000', reg: 16 + 18, value: 0x31 },
      { type: 'platform.set_processor_pminfo', domid: 0, id: 1, pm_type: 0, states: [1, 3] },
      { ...{ type: 'domctl.settscinfo', domid: 0, domain: 1, tsc_mode: 1, elapsed_nsec: 5, gtsc_khz: 0 }, incarnation: 1 },
      { type: 'dm.set_isa_irq_level', domid: 0, dom: 2, isa_irq: 4, level: 1 },
      { type: 'dm.inject_event', domid: 0, dom: 2, vcpuid: 0, vector: 42, event_type: 0, error_code: 0 },
      read({ clear: true }),
    );
    at.prepare(keys(key));
    expect(fresh(at)).toContain(expected);
  });
  test('... none that nobody has registered', () => {
    expect(fresh(cleared().prepare(keys('\x00BDOSpPlLT')))).toBe('');
  });
  test("N is an NMI for dom0's first vCPU, once", () => {
    const at = host();
    expect(at.types(keys('N'))).toContain('vcpu.nmi_sent');
    expect(at.types(keys('N'))).not.toContain('vcpu.nmi_sent');
    at.prepare(read({ clear: true }), keys('n'));
    expect(fresh(at)).toContain('d0v0: one is pending');
  });
  test('q tells every vCPU that listens', () => {
    const at = host().prepare({ type: 'evtchn.bind_virq', domid: 1, virq: VIRQ.DEBUG, vcpu: 0 });
    expect(at.types(keys('q'))).toContain('evtchn.pending_raised');
    expect(at.types(keys('qq')).filter((type) => type === 'evtchn.pending_raised')).toHaveLength(0);
  });
});
