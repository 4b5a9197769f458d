// CONTROL: the commands of xenstore-control that concern a store (docs/misc/xenstore.txt).

/** What a command replies, or undefined where it is unknown or has the wrong arguments. */
export function control(args: readonly string[]): string | undefined {
  const [name, ...rest] = args;
  const takes = name === undefined ? undefined : commands.get(name);
  return takes?.(rest) ? (name === 'help' ? help : 'OK') : undefined;
}

const commands = new Map<string, (args: readonly string[]) => boolean>([
  ['check', (args) => args.length === 0],
  ['log', (args) => args.length === 1 && (args[0] === 'on' || args[0] === 'off')],
  ['print', (args) => args.length === 1],
  ['help', (args) => args.length === 0],
]);

const help = 'Commands: check, log on|off, print <text>, help';
