// Split drivers: the rings as bytes, and the state of both ends of consoles, block devices and network interfaces.
export * as block from './block/index.ts';
export * as console from './console/index.ts';
export * as net from './net/index.ts';
export * from './ring/blkif.ts';
export * as consoleRing from './ring/console.ts';
export * from './ring/netif.ts';
export * from './ring/ring.ts';
export * as xenstoreRing from './ring/xenstore.ts';
