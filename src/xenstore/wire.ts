// Messages of public/io/xs_wire.h, without the header: payloads to commands, and outcomes to payloads.
import type { Errno } from '../../events/errno.ts';
import { eventsOf, type OutcomeOf } from '../../events/step.ts';
import { type RequestType, requestTypes, type XenstoreCommand, type XenstoreFact } from '../../events/xenstore.ts';
import { PAYLOAD_MAX } from './fire.ts';
import { atoi } from './numbers.ts';
import { type Profile, profiles } from './profiles.ts';
import { requestTypeOf } from './request.ts';

/** A message as it stands on the wire after its header's other fields: `type` is the number, `payload` a byte string. */
export interface Message {
  readonly type: number;
  readonly payload: string;
}

/** A message to a connection. A reply echoes the request's req_id and tx_id; an event has both 0. */
export interface Outgoing extends Message {
  readonly conn: number;
  readonly reply: boolean;
}

/** The command of a message, whatever its bytes: at worst `xenstore.malformed`. */
export function decode(
  type: number,
  tx: number,
  payload: string,
  conn: number,
  profile: Profile = profiles['4.17'],
): XenstoreCommand {
  const op = requestTypes[type] ?? 'unknown';
  return parse(op, tx, payload, conn, profile) ?? { type: 'xenstore.malformed', conn, tx, op, payload };
}

/** The reply to a request. An error is its name; a reply too long for a message is E2BIG. */
export function encodeReply(command: XenstoreCommand, outcome: OutcomeOf<XenstoreFact>): Message {
  if (!outcome.ok) return errorReply(outcome.errno);
  const op = requestTypeOf(command) ?? 'unknown';
  const payload = payloadOf(op, outcome.value);
  return payload.length > PAYLOAD_MAX ? errorReply('E2BIG') : { type: numbers[op], payload };
}

export const encodeWatchEvent = ({ path, token }: { path: string; token: string }): Message => ({
  type: WATCH_EVENT,
  payload: `${path}\0${token}\0`,
});

/**
 * All that a step sends, in order: the events that it caused, then the reply. Only what WATCH causes follows the reply, and what
 * RELEASE does when its answer says so. Who is not listened to (ENOTCONN) gets no reply.
 */
export function encodeStep(command: XenstoreCommand, outcome: OutcomeOf<XenstoreFact>): Outgoing[] {
  const events: Outgoing[] = [];
  for (const event of eventsOf(outcome))
    if (event.type === 'xenstore.watch_fired')
      events.push({ conn: event.conn, reply: false, type: WATCH_EVENT, payload: `${event.path}\0${event.token}\0` });
  const op = requestTypeOf(command);
  if (!('conn' in command) || op === undefined || (!outcome.ok && outcome.errno === 'ENOTCONN')) return events;
  const { type, payload } = encodeReply(command, outcome);
  const reply = { conn: command.conn, reply: true, type, payload };
  if (events.length === 0) return [reply];
  const deferred = 'value' in outcome && (outcome.value as { deferred?: boolean } | undefined)?.deferred === true;
  return deferred || op === 'WATCH' ? [reply, ...events] : [...events, reply];
}

const numbers = Object.fromEntries(requestTypes.map((op, number) => [op, number])) as Readonly<Record<RequestType, number>>;
const WATCH_EVENT = requestTypes.indexOf('WATCH_EVENT');
const ERROR = requestTypes.indexOf('ERROR');
const errorReply = (errno: Errno): Message => ({ type: ERROR, payload: `${errno}\0` });

function parse(op: RequestType, tx: number, payload: string, conn: number, profile: Profile): XenstoreCommand | undefined {
  const nul = payload.indexOf('\0');
  const first = nul < 0 ? '' : payload.slice(0, nul);
  const one = nul >= 0 && nul === payload.length - 1;
  // The two that are most frequent by far, and need no more than that.
  if (op === 'WRITE')
    return nul < 0 ? undefined : { type: 'xenstore.write', conn, tx, path: first, value: payload.slice(nul + 1) };
  if (op === 'READ') return one ? { type: 'xenstore.read', conn, tx, path: first } : undefined;
  const args = stringsOf(payload);
  const [, second = '', third = ''] = args;
  const number = (text: string): number | undefined => (profile.domidIsStrict ? strictDomid(text) : atoi(text));
  const request = { conn, tx };
  switch (op) {
    case 'CONTROL':
      return args.length > 0 ? { type: 'xenstore.control', ...request, args } : undefined;
    case 'DIRECTORY':
      return one ? { type: 'xenstore.directory', ...request, path: first } : undefined;
    case 'GET_PERMS':
      return one ? { type: 'xenstore.get_perms', ...request, path: first } : undefined;
    case 'MKDIR':
      return one ? { type: 'xenstore.mkdir', ...request, path: first } : undefined;
    case 'RM':
      return one ? { type: 'xenstore.rm', ...request, path: first } : undefined;
    case 'DIRECTORY_PART':
      return args.length === 2 ? { type: 'xenstore.directory_part', ...request, path: first, offset: atoi(second) } : undefined;
    case 'WATCH':
      if (args.length === 2) return { type: 'xenstore.watch', conn, path: first, token: second };
      if (args.length !== 3 || !profile.watchDepth) return undefined;
      return { type: 'xenstore.watch_depth', conn, path: first, token: second, depth: atoi(third) | 0 };
    case 'UNWATCH':
      return args.length === 2 ? { type: 'xenstore.unwatch', conn, path: first, token: second } : undefined;
    case 'RESET_WATCHES':
      return { type: 'xenstore.reset_watches', ...request };
    case 'TRANSACTION_START':
      return { type: 'xenstore.transaction_start', ...request };
    case 'TRANSACTION_END':
      return one && (first === 'T' || first === 'F')
        ? { type: 'xenstore.transaction_end', ...request, commit: first === 'T' }
        : undefined;
    case 'INTRODUCE': {
      const domid = number(first);
      if (args.length < 3 || domid === undefined) return undefined;
      return { type: 'xenstore.introduce', ...request, domid, mfn: atoi(second), port: atoi(third) };
    }
    case 'SET_TARGET': {
      const domid = number(first);
      const target = number(second);
      if (args.length < 2 || domid === undefined || target === undefined) return undefined;
      return { type: 'xenstore.set_target', ...request, domid, target };
    }
    case 'RELEASE':
    case 'RESUME':
    case 'GET_DOMAIN_PATH':
    case 'IS_DOMAIN_INTRODUCED': {
      const domid = number(first);
      return one && domid !== undefined ? { type: byDomain[op], ...request, domid } : undefined;
    }
    case 'GET_FEATURE':
    case 'GET_QUOTA':
    case 'SET_FEATURE':
    case 'SET_QUOTA':
      return profile.quotaRequests ? parseQuota(op, request, args) : undefined;
    case 'SET_PERMS':
      return args.length > 1 ? { type: 'xenstore.set_perms', ...request, path: first, perms: args.slice(1) } : undefined;
    default:
      return undefined;
  }
}

/** Requests whose domain may be left out: then they concern the connection itself, or what all domains get. */
function parseQuota(
  op: 'GET_FEATURE' | 'GET_QUOTA' | 'SET_FEATURE' | 'SET_QUOTA',
  request: { readonly conn: number; readonly tx: number },
  args: readonly string[],
): XenstoreCommand | undefined {
  const after = op === 'GET_FEATURE' ? 0 : op === 'SET_QUOTA' ? 2 : 1;
  const domid = args.length > after ? strictDomid(args[0]!) : -1;
  if (args.length > after + 1 || domid === undefined) return undefined;
  const rest = args.slice(domid < 0 ? 0 : 1);
  switch (op) {
    case 'GET_FEATURE':
      return { type: 'xenstore.get_feature', ...request, domid };
    case 'SET_FEATURE':
      return domid < 0 ? undefined : { type: 'xenstore.set_feature', ...request, domid, features: atoi(rest[0]!) };
    case 'GET_QUOTA':
      // No name at all asks for the names; one that is empty is none.
      if (rest[0] === '') return undefined;
      return { type: 'xenstore.get_quota', ...request, domid, name: rest[0] ?? '' };
    case 'SET_QUOTA':
      if (rest.length < 2) return undefined;
      return { type: 'xenstore.set_quota', ...request, domid, name: rest[0]!, value: atoi(rest[1]!) };
  }
}

const byDomain = {
  RELEASE: 'xenstore.release',
  RESUME: 'xenstore.resume',
  GET_DOMAIN_PATH: 'xenstore.get_domain_path',
  IS_DOMAIN_INTRODUCED: 'xenstore.is_domain_introduced',
} as const;

function payloadOf(op: RequestType, value: object): string {
  const answer = value as Readonly<Record<string, never>>;
  switch (op) {
    case 'CONTROL':
      return `${answer['reply']}\0`;
    case 'READ':
      return answer['value']!;
    case 'DIRECTORY':
      return terminated(answer['children']!);
    case 'GET_PERMS':
      return terminated(answer['perms']!);
    case 'DIRECTORY_PART':
      return `${answer['generation']}\0${answer['part']}`;
    case 'TRANSACTION_START':
      return `${answer['tx']}\0`;
    case 'GET_DOMAIN_PATH':
      return `${answer['path']}\0`;
    case 'GET_FEATURE':
      return `${answer['features']}\0`;
    case 'GET_QUOTA':
      return `${answer['value']}\0`;
    case 'IS_DOMAIN_INTRODUCED':
      return answer['introduced'] ? 'T\0' : 'F\0';
    default:
      return 'OK\0';
  }
}

const terminated = (names: readonly string[]): string => (names.length === 0 ? '' : `${names.join('\0')}\0`);

/** The strings that end in NUL; what follows the last NUL is not one. */
function stringsOf(payload: string): string[] {
  const strings = payload.split('\0');
  strings.pop();
  return strings;
}

/** As 4.22 reads a domain id: nothing may follow it, and it has 16 bits. */
function strictDomid(text: string): number | undefined {
  if (!/^(?:[ \t-\r]*\+?\d+)?$/.test(text)) return undefined;
  const domid = atoi(text);
  return /\d{10}/.test(text) || domid > 0xffff ? undefined : domid;
}
