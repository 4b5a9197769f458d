// The client's half of the wire: requests to payloads, and payloads back to what a request answers.
import { requestTypes, type XenstoreCommand } from '../../events/xenstore.ts';
import { requestTypeOf } from './request.ts';
import type { Message } from './wire.ts';

/** A request as it goes onto the wire; undefined for a command that no client can send. */
export function encodeRequest(command: XenstoreCommand): (Message & { readonly tx: number }) | undefined {
  const op = requestTypeOf(command);
  if (op === undefined || op === 'unknown') return undefined;
  const payload = payloadOf(command);
  if (payload === undefined) return undefined;
  return { type: requestTypes.indexOf(op), tx: 'tx' in command ? command.tx : 0, payload };
}

function payloadOf(command: XenstoreCommand): string | undefined {
  switch (command.type) {
    case 'xenstore.control':
      return strings(...command.args);
    case 'xenstore.directory':
    case 'xenstore.read':
    case 'xenstore.get_perms':
    case 'xenstore.mkdir':
    case 'xenstore.rm':
      return strings(command.path);
    case 'xenstore.directory_part':
      return strings(command.path, String(command.offset));
    case 'xenstore.watch':
    case 'xenstore.unwatch':
      return strings(command.path, command.token);
    case 'xenstore.watch_depth':
      return strings(command.path, command.token, String(command.depth));
    case 'xenstore.reset_watches':
    case 'xenstore.transaction_start':
      return '\0';
    case 'xenstore.transaction_end':
      return strings(command.commit ? 'T' : 'F');
    case 'xenstore.introduce':
      return strings(String(command.domid), String(command.mfn), String(command.port));
    case 'xenstore.set_target':
      return strings(String(command.domid), String(command.target));
    case 'xenstore.release':
    case 'xenstore.resume':
    case 'xenstore.get_domain_path':
    case 'xenstore.is_domain_introduced':
      return strings(String(command.domid));
    case 'xenstore.write':
      return strings(command.path) + command.value;
    case 'xenstore.set_perms':
      return strings(command.path, ...command.perms);
    case 'xenstore.get_feature':
      return command.domid < 0 ? '' : strings(String(command.domid));
    case 'xenstore.set_feature':
      return strings(String(command.domid), String(command.features));
    case 'xenstore.get_quota':
      return quotaOf(command, ...(command.domid < 0 && command.name === '' ? [] : [command.name]));
    case 'xenstore.set_quota':
      return quotaOf(command, command.name, String(command.value));
    case 'xenstore.malformed':
      return command.payload;
    default:
      return undefined;
  }
}

/** What a command of this type answers, from the payload of its reply. */
export function answerOf(type: string, payload: string): object {
  const [first = '', ...others] = payload.split('\0');
  switch (type) {
    case 'xenstore.control':
      return { reply: first };
    case 'xenstore.read':
      return { value: payload };
    case 'xenstore.directory':
      return { children: names(payload) };
    case 'xenstore.get_perms':
      return { perms: names(payload) };
    case 'xenstore.directory_part':
      return { generation: Number(first), part: others.join('\0') };
    case 'xenstore.transaction_start':
      return { tx: Number(first) };
    case 'xenstore.get_domain_path':
      return { path: first };
    case 'xenstore.is_domain_introduced':
      return { introduced: first === 'T' };
    case 'xenstore.get_feature':
      return { features: Number(first) };
    case 'xenstore.get_quota':
      return { value: first };
    default:
      return {};
  }
}

const quotaOf = ({ domid }: { readonly domid: number }, ...rest: readonly string[]): string =>
  domid < 0 ? strings(...rest) : strings(String(domid), ...rest);
const strings = (...parts: readonly string[]): string => parts.map((part) => `${part}\0`).join('');
const names = (payload: string): string[] => (payload === '' ? [] : payload.split('\0').slice(0, -1));
