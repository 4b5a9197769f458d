// Declared workloads: they ride into a guest on its kernel's command line, as anything that a toolstack tells a kernel.
import { MS, type Ns } from '../../events/units.ts';
import { parseConfig } from '../toolstack/cfg/parse.ts';

/** What a guest does by itself, again and again. What is left out is the guest's to choose. */
export type Workload =
  /** Computes this share of every 100 ms. */
  | { readonly program: 'cpu'; readonly percent?: number | undefined }
  /** Reads so many sectors of its disk, and rests. */
  | { readonly program: 'disk'; readonly sectors?: number | undefined; readonly every_ns?: Ns | undefined }
  /** Sends an echo request, and rests. */
  | { readonly program: 'ping'; readonly address: string; readonly every_ns?: Ns | undefined };

/** `workload=cpu:50,disk:256:100`: the word on the command line, as machines/guest/kernel.ts reads it. */
export const workloadWord = (workloads: readonly Workload[]): string => `workload=${workloads.map(one).join(',')}`;

function one(workload: Workload): string {
  switch (workload.program) {
    case 'cpu':
      return joined('cpu', workload.percent);
    case 'disk':
      return joined('disk', workload.sectors, millis(workload.every_ns));
    case 'ping':
      return joined('ping', workload.address, millis(workload.every_ns));
  }
}
const millis = (ns: Ns | undefined): number | undefined => (ns === undefined ? undefined : Math.max(1, Math.floor(ns / MS)));
const joined = (...words: readonly (string | number | undefined)[]): string =>
  words
    .map((word) => word ?? '')
    .join(':')
    .replace(/:+$/, '');

/**
 * A configuration file with one more setting, where it is that of a domain with a workload: the text (a byte string) otherwise
 * stays as it is. `used` is that domain's name.
 */
export function addWorkload(
  text: string,
  workloads: ReadonlyMap<string, readonly Workload[]>,
): { readonly text: string; readonly used?: string } {
  const parsed = parseConfig(text, '');
  const name = parsed.ok ? parsed.settings.getString('name') : undefined;
  const declared = name?.ok ? workloads.get(name.value) : undefined;
  if (!parsed.ok || !name?.ok || declared === undefined) return { text };
  // xl ignores `extra` where there is a `cmdline`.
  const key = parsed.settings.getString('cmdline').ok ? 'cmdline' : 'extra';
  const end = text === '' || text.endsWith('\n') ? '' : '\n';
  return { text: `${text}${end}${key} += " ${workloadWord(declared)}"\n`, used: name.value };
}
