// A recording of hypercalls of real Xen as it stands in its file, one JSON object a line: see test/golden/hypercalls/README.md.

/** A port of a domain, as EVTCHNOP_status told it: `status` is EVTCHNSTAT_*. */
export interface PortRecord {
  readonly port: number;
  readonly status: number;
  readonly vcpu: number;
  readonly u_dom?: number;
  readonly u_port?: number;
  readonly u_virq?: number;
  readonly u_pirq?: number;
}
export interface DomainRecord {
  readonly domid: number;
  readonly max_vcpus: number;
  readonly max_evtchn_port: number;
  readonly max_grant_frames: number;
  readonly gnttab_frames: number;
  readonly tot_pages: number;
  readonly max_pages: number;
}
interface Ports {
  readonly dom0_ports: readonly PortRecord[];
  readonly A_ports: readonly PortRecord[];
  readonly B_ports: readonly PortRecord[];
}
/** The state in which a sequence begins. */
export interface HeaderRecord extends Ports {
  readonly seed: number;
  readonly caller: { readonly domid: number; readonly vcpus: number; readonly vcpu: number };
  readonly A: DomainRecord;
  readonly B: DomainRecord;
}
export type FinalRecord = Ports;

export type Arguments = Readonly<Record<string, unknown>>;
/** One hypercall. `rc` is what it returned; `out` has the fields that mean something for that result. */
export interface CallRecord {
  readonly seq: number;
  readonly op: string;
  readonly args: Arguments;
  readonly rc: number;
  readonly out: Readonly<Record<string, unknown>>;
}

export interface Sequence {
  readonly mix: string;
  readonly header: HeaderRecord;
  readonly calls: readonly CallRecord[];
  readonly final: FinalRecord | undefined;
}

/** The sequences of a recording, or what is wrong with it and where. Bounded and total on any text. */
export function parseRecording(
  text: string,
): { ok: true; sequences: readonly Sequence[] } | { ok: false; line: number; why: string } {
  const sequences: Sequence[] = [];
  let open: { mix: string; header: HeaderRecord; calls: CallRecord[]; final: FinalRecord | undefined } | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const fail = (why: string): { ok: false; line: number; why: string } => ({ ok: false, line: i + 1, why });
    const record = object(line);
    if (record === undefined) return fail('not a JSON object');
    if ('header' in record) {
      if (!isHeader(record)) return fail('a header without its domains');
      open = { mix: String(record['mix']), header: record, calls: [], final: undefined };
      sequences.push(open);
    } else if (open === undefined) return fail('a record before the first header');
    else if ('final' in record) open.final = record as unknown as FinalRecord;
    else if (isCall(record)) open.calls.push(record);
    else return fail('neither a header nor a hypercall');
  }
  return { ok: true, sequences };
}

type Raw = Readonly<Record<string, unknown>>;
function object(line: string): Raw | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Raw) : undefined;
  } catch {
    return undefined;
  }
}
const isObject = (value: unknown): value is Raw => typeof value === 'object' && value !== null;
const isDomain = (value: unknown): boolean => isObject(value) && Number.isInteger(value['domid']);
const isHeader = (record: Raw): record is Raw & HeaderRecord =>
  isDomain(record['A']) &&
  isDomain(record['B']) &&
  isObject(record['caller']) &&
  ['dom0_ports', 'A_ports', 'B_ports'].every((key) => Array.isArray(record[key]));
const isCall = (record: Raw): record is Raw & CallRecord =>
  typeof record['op'] === 'string' && Number.isInteger(record['rc']) && isObject(record['args']) && isObject(record['out']);
