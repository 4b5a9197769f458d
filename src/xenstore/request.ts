// The request type of a command: its name on the wire.
import { type RequestType, requestTypes, type XenstoreCommand } from '../../events/xenstore.ts';

/** The type that a client's message has; undefined for what no client sends (`xenstore.connect` and the like). */
export const requestTypeOf = (command: XenstoreCommand): RequestType | undefined =>
  command.type === 'xenstore.malformed' ? command.op : byCommand.get(command.type);

const byCommand: ReadonlyMap<string, RequestType> = new Map<string, RequestType>([
  ...requestTypes.map((name) => [`xenstore.${name.toLowerCase()}`, name] as const),
  ['xenstore.watch_depth', 'WATCH'],
]);
