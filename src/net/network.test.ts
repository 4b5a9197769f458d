// Guests and dom0 on one bridge: a small world with its own clock and a wire that may lose frames.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ns, SECOND, US } from '../../events/units.ts';
import { type Ip, ipToText, type Mac } from './address.ts';
import { addPort, type Bridge, forward, newBridge } from './bridge.ts';
import { newResponder, type Responder, type ResponderConfig, type ResponderNote, respond } from './responder.ts';
import { addressOf, configure, input, newStack, ping, type Stack, type StackEvent, type StackTurn, tick } from './stack.ts';

const host = (n: number): Ip => 0x0a00_0000 + n;
const config: ResponderConfig = {
  mac: 0xfeff_ffff_ffff,
  ip: host(1),
  dhcp: { netmask: 0xffff_ff00, router: host(1), dns: [], pool: { first: host(2), last: host(3) }, lease_s: 3600, statics: [] },
};
/** Every crossing of a wire takes this long. */
const WIRE_NS = 10 * US;

/** `lose(n)` says whether the nth frame that anybody sends is lost. */
class Lan {
  readonly events: (StackEvent & { who: string })[] = [];
  readonly notes: ResponderNote[] = [];
  readonly stacks = new Map<string, Stack>();
  private readonly wakes = new Map<string, Ns>();
  private readonly wire: { at: Ns; port: string; frame: Uint8Array; inwards: boolean }[] = [];
  private readonly lose: (n: number) => boolean;
  private bridge: Bridge = addPort(newBridge(), 'dom0');
  private responder: Responder = newResponder;
  private sent = 0;
  now: Ns = 0;

  constructor(lose: (n: number) => boolean = () => false) {
    this.lose = lose;
  }
  join(port: string, mac: Mac): void {
    this.bridge = addPort(this.bridge, port);
    this.stacks.set(port, newStack({ mac, hostname: port }));
  }
  act(port: string, action: (state: Stack, now: Ns) => StackTurn): void {
    const turn = action(this.stacks.get(port)!, this.now);
    this.stacks.set(port, turn.state);
    if (turn.wakeAt === undefined) this.wakes.delete(port);
    else this.wakes.set(port, turn.wakeAt);
    this.events.push(...turn.events.map((event) => ({ ...event, who: port })));
    for (const frame of turn.out) this.send(port, frame);
  }
  send(port: string, frame: Uint8Array): void {
    if (!this.lose(this.sent++)) this.wire.push({ at: this.now + WIRE_NS, port, frame, inwards: true });
  }
  run(until: Ns): void {
    for (;;) {
      const wakes = [...this.wakes].sort(([p, a], [q, b]) => a - b || (p < q ? -1 : 1))[0];
      const next = this.wire[0];
      if (next !== undefined && next.at <= until && !(wakes && wakes[1] < next.at)) {
        this.wire.shift();
        this.now = next.at;
        this.arrive(next);
      } else if (wakes && wakes[1] <= until) {
        this.now = wakes[1];
        this.act(wakes[0], tick);
      } else break;
    }
    this.now = until;
  }
  private arrive({ port, frame, inwards }: { port: string; frame: Uint8Array; inwards: boolean }): void {
    if (inwards) {
      const { bridge, to } = forward(this.bridge, port, frame, this.now);
      this.bridge = bridge;
      for (const out of to) this.wire.push({ at: this.now + WIRE_NS, port: out, frame, inwards: false });
    } else if (port === 'dom0') {
      const { state, replies, notes } = respond(this.responder, config, frame, this.now);
      this.responder = state;
      this.notes.push(...notes);
      for (const reply of replies) this.send('dom0', reply);
    } else this.act(port, (state, now) => input(state, frame, now));
  }
}

/** Two guests that ask for an address. */
function twoGuests(lose?: (n: number) => boolean): Lan {
  const lan = new Lan(lose);
  lan.join('vif1.0', 0x0016_3e00_000a);
  lan.join('vif2.0', 0x0016_3e00_000b);
  lan.act('vif1.0', (state, now) => configure(state, 1000, now));
  lan.act('vif2.0', (state, now) => configure(state, 2000, now));
  return lan;
}
const addresses = (lan: Lan): (string | undefined)[] =>
  [...lan.stacks.values()].map((stack) => {
    const address = addressOf(stack);
    return address && ipToText(address.ip);
  });

describe('two guests and dom0', () => {
  const lan = twoGuests();
  lan.run(SECOND);

  test('both have a lease, and dom0 knows their names', () => {
    expect(addresses(lan)).toEqual(['10.0.0.2', '10.0.0.3']);
    expect(lan.notes.filter(({ type }) => type === 'lease_given')).toMatchObject([
      { mac: 0x0016_3e00_000a, ip: host(2), hostname: 'vif1.0' },
      { mac: 0x0016_3e00_000b, ip: host(3), hostname: 'vif2.0' },
    ]);
  });

  test.each([
    ['the other guest', host(3)],
    ['dom0', host(1)],
  ])('ping %s: ARP there and back, then the echo there and back', (_, dst) => {
    const before = lan.events.length;
    lan.act('vif1.0', (state, now) => ping(state, { dst, ident: 5, seq: 1 }, now));
    lan.run(lan.now + SECOND);
    // Each way crosses two wires.
    expect(lan.events.slice(before)).toEqual([
      { who: 'vif1.0', type: 'echo_reply', from: dst, ident: 5, seq: 1, ttl: 64, rtt_ns: 8 * WIRE_NS, bytes: 64 },
    ]);
    lan.act('vif1.0', (state, now) => ping(state, { dst, ident: 5, seq: 2 }, now));
    lan.run(lan.now + SECOND);
    expect(lan.events.at(-1)).toMatchObject({ seq: 2, rtt_ns: 4 * WIRE_NS });
  });

  test('a third guest finds the pool exhausted, and gives up', () => {
    lan.join('vif3.0', 0x0016_3e00_000c);
    lan.act('vif3.0', (state, now) => configure(state, 3000, now));
    lan.run(lan.now + 200 * SECOND);
    expect(addresses(lan)[2]).toBeUndefined();
    expect(lan.notes.filter(({ type }) => type === 'pool_exhausted')).toHaveLength(5);
    expect(lan.events.at(-1)).toEqual({ who: 'vif3.0', type: 'timeout', of: 'dhcp' });
  });

  test('an hour later the leases still stand, for they were renewed', () => {
    lan.run(lan.now + 4000 * SECOND);
    expect(addresses(lan)).toEqual(['10.0.0.2', '10.0.0.3', undefined]);
    expect(lan.events.filter(({ type }) => type === 'renewed').length).toBeGreaterThanOrEqual(2);
    expect(lan.events.filter(({ type }) => type === 'lease_lost')).toEqual([]);
  });
});

test('one lost frame, whichever it is: both get an address and can talk', () => {
  for (let lost = 0; lost < 12; lost++) {
    const lan = twoGuests((n) => n === lost);
    lan.run(30 * SECOND);
    expect([...addresses(lan)].sort()).toEqual(['10.0.0.2', '10.0.0.3']);
    lan.act('vif1.0', (state, now) => ping(state, { dst: host(1), ident: 5, seq: 1 }, now));
    lan.run(60 * SECOND);
    expect(lan.events.at(-1)?.type).toBe('echo_reply');
  }
});

test('a lost question is asked again a second later', () => {
  let cut = false;
  const lan = twoGuests(() => cut);
  lan.run(SECOND);
  cut = true;
  lan.act('vif1.0', (state, now) => ping(state, { dst: host(3), ident: 5, seq: 1 }, now));
  cut = false;
  lan.run(5 * SECOND);
  expect(lan.events.at(-1)).toMatchObject({ type: 'echo_reply', rtt_ns: SECOND + 8 * WIRE_NS });
});

test('a bad wire and garbage on it: the guests keep trying, and the same world happens twice', () => {
  const losses = fc.uniqueArray(fc.nat(40), { maxLength: 10 });
  const garbage = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 });
  fc.assert(
    fc.property(losses, garbage, (lost, frames) => {
      const world = () => {
        const lan = twoGuests((n) => lost.includes(n));
        for (const frame of frames) lan.send('vif1.0', frame);
        lan.run(600 * SECOND);
        return lan;
      };
      const lan = world();
      const gaveUp = lan.events.filter((event) => event.type === 'timeout').length;
      expect(addresses(lan).filter((address) => address !== undefined).length + gaveUp).toBe(2);
      expect(world().events).toEqual(lan.events);
    }),
    { numRuns: 50 },
  );
});
