// What things cost in virtual time: one table of integers, in nanoseconds.
import type { Ns } from '../../events/units.ts';
import { US } from '../../events/units.ts';
import type { Command } from '../../events/vocabulary.ts';
import { subsystemOf } from '../../src/host.ts';

/** By the part of a command before its dot: of the order that such an operation takes on a machine of the time. */
const bySubsystem: Readonly<Record<string, Ns>> = {
  evtchn: 1 * US,
  gnttab: 2 * US,
  memory: 5 * US,
  domctl: 20 * US,
  xenstore: 30 * US,
  xenbus: 1 * US,
  guest: 2 * US,
  hvc: 5 * US,
  vbd: 3 * US,
  vif: 2 * US,
  bridge: 2 * US,
  xl: 50 * US,
};

export const costOf = (command: Command): Ns => bySubsystem[subsystemOf(command.type)] ?? 1 * US;

/** Printing a line on the console, for a guest. */
export const PRINT_NS: Ns = 20 * US;

/** Moving a sector between a granted page and where it belongs, for a guest's block driver. */
export const SECTOR_NS: Ns = 1 * US;

/** A frame on its way through a guest's network stack, in either direction. */
export const FRAME_NS: Ns = 25 * US;
