import { type Ns, SECOND } from '../../events/units.ts';
import { isGroupMac, type Mac } from './address.ts';
import { parseEthernet } from './ethernet.ts';

/** A learning Ethernet bridge such as Linux's without STP: plain immutable data that the caller keeps. */
export interface Bridge {
  /** Names, ascending by code units: the order in which a frame is flooded. */
  readonly ports: readonly string[];
  /** The forwarding table, ascending by address. */
  readonly stations: readonly Station[];
  readonly ageing_ns: Ns;
  readonly max_stations: number;
}
export interface Station {
  readonly mac: Mac;
  readonly port: string;
  readonly seen_ns: Ns;
}

/** Linux's default `ageing_time`. */
const AGEING_NS = 300 * SECOND;
/** A guest may send from as many addresses as it likes; the table stays a small thing to search and to checkpoint. */
const MAX_STATIONS = 4096;

export const newBridge = (limits: { ageing_ns?: Ns; max_stations?: number } = {}): Bridge => ({
  ports: [],
  stations: [],
  ageing_ns: limits.ageing_ns ?? AGEING_NS,
  max_stations: limits.max_stations ?? MAX_STATIONS,
});

/** Adding a port that is there changes nothing. */
export const addPort = (bridge: Bridge, port: string): Bridge =>
  bridge.ports.includes(port) ? bridge : { ...bridge, ports: [...bridge.ports, port].sort(byCodeUnits) };

/** Takes a port away with all that was learned on it. */
export const removePort = (bridge: Bridge, port: string): Bridge =>
  bridge.ports.includes(port)
    ? {
        ...bridge,
        ports: bridge.ports.filter((other) => other !== port),
        stations: bridge.stations.filter((station) => station.port !== port),
      }
    : bridge;

/**
 * Takes a frame in on a port and says on which ports it goes out: never on the one that it came from, and on none when the frame is no
 * frame, the port is none of ours or the source is no station's address. A frame that teaches nothing gives back the same bridge.
 */
export function forward(
  bridge: Bridge,
  fromPort: string,
  frame: Uint8Array,
  now: Ns,
): { readonly bridge: Bridge; readonly to: readonly string[] } {
  const header = parseEthernet(frame);
  if (header === undefined || !bridge.ports.includes(fromPort) || header.src === 0 || isGroupMac(header.src))
    return { bridge, to: [] };

  const learned = learn(bridge, { mac: header.src, port: fromPort, seen_ns: now });
  if (isLinkLocal(header.dst)) return { bridge: learned, to: [] };
  const station = isGroupMac(header.dst) ? undefined : stationOf(learned, header.dst, now);
  const to = (station === undefined ? learned.ports : [station.port]).filter((port) => port !== fromPort);
  return { bridge: learned, to };
}

/** Where an address was last seen, unless that is too long ago. */
export function stationOf(bridge: Bridge, mac: Mac, now: Ns): Station | undefined {
  const station = bridge.stations[place(bridge.stations, mac)];
  return station?.mac === mac && isFresh(bridge, station, now) ? station : undefined;
}

/** When the table is full of fresh stations a new one is not learned, and frames for it are flooded. */
function learn(bridge: Bridge, station: Station): Bridge {
  const { stations } = bridge;
  const at = place(stations, station.mac);
  const known = stations[at];
  if (known?.mac === station.mac) {
    // Not every frame is worth a new state: a sighting is renewed when it has lost a 256th of its time.
    const recent = station.seen_ns - known.seen_ns < Math.floor(bridge.ageing_ns / 256);
    return known.port === station.port && recent ? bridge : { ...bridge, stations: stations.with(at, station) };
  }
  if (stations.length < bridge.max_stations) return { ...bridge, stations: stations.toSpliced(at, 0, station) };
  const fresh = stations.filter((other) => isFresh(bridge, other, station.seen_ns));
  if (fresh.length >= bridge.max_stations) return bridge;
  return { ...bridge, stations: fresh.toSpliced(place(fresh, station.mac), 0, station) };
}

const isFresh = ({ ageing_ns }: Bridge, { seen_ns }: Station, now: Ns): boolean => now - seen_ns < ageing_ns;

/** Where an address stands, or would have to stand, in the table. */
function place(stations: readonly Station[], mac: Mac): number {
  let low = 0;
  let high = stations.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (stations[middle]!.mac < mac) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** 01:80:c2:00:00:01 to 0f stay on their link (IEEE 802.1D 7.12.6); 00 is the spanning tree's, which a bridge without STP lets pass. */
const isLinkLocal = (mac: Mac): boolean => mac > 0x0180_c200_0000 && mac <= 0x0180_c200_000f;

const byCodeUnits = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
