// Addresses are plain numbers, so that they compare, sort, log and checkpoint as they are; text is for people and xenstore.

/** An Ethernet address as a 48-bit number, first byte highest. */
export type Mac = number;
/** An IPv4 address as a 32-bit number, first byte highest. 0 stands for "none", as 0.0.0.0 does in DHCP and in routing tables. */
export type Ip = number;

export const BROADCAST_MAC: Mac = 0xffff_ffff_ffff;
export const BROADCAST_IP: Ip = 0xffff_ffff;

/** `00:16:3e:00:00:01`: lower case, as libxl writes it into xenstore. */
export function macToText(mac: Mac): string {
  const digits = mac.toString(16).padStart(12, '0');
  return digits.replace(/..(?!$)/g, '$&:');
}

/** Six pairs of hex digits in either case, separated by colons (docs/misc/xl-network-configuration, `mac`). */
export function textToMac(text: string): Mac | undefined {
  return /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(text) ? Number.parseInt(text.replaceAll(':', ''), 16) : undefined;
}

export const ipToText = (ip: Ip): string => `${ip >>> 24}.${(ip >>> 16) & 255}.${(ip >>> 8) & 255}.${ip & 255}`;

/** Four decimal numbers without leading zeros: `010.0.0.1` is refused, for half of the world reads it as octal. */
export function textToIp(text: string): Ip | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9][0-9]{0,2})$/.test(part) && Number(part) < 256)) return undefined;
  return parts.reduce((ip, part) => ip * 256 + Number(part), 0);
}

/** Addressed to a group, broadcast included: the lowest bit of the first byte (IEEE 802, I/G bit). Never a source. */
export const isGroupMac = (mac: Mac): boolean => (Math.floor(mac / 0x100_0000_0000) & 1) === 1;

/** No single host: 0.0.0.0/8, multicast, reserved and limited broadcast (RFC 1122 3.2.1.3). */
export const isUnicastIp = (ip: Ip): boolean => ip >= 0x0100_0000 && ip < 0xe000_0000;

export const sameSubnet = (a: Ip, b: Ip, netmask: Ip): boolean => ((a ^ b) & netmask) === 0;
