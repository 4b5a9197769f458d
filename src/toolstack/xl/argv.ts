// The words of an xl command line (tools/xl/xl.c, main(); getopt_long(3) with words and options in any order).
import { commands, helpText, type OptionSyntax, otherCommands, type Syntax, usageText } from './commands.ts';

export type Parsed =
  | { readonly ok: true; readonly invocation: Invocation }
  /** There is nothing to do but to say this: `rc` 0 for help that was asked for. */
  | { readonly ok: false; readonly rc: number; readonly stdout: string; readonly stderr: string };

/** What a command line asks for. */
export interface Invocation {
  readonly command: string;
  /** Letters of the options that were given, one for each time. */
  readonly options: readonly string[];
  /** The values of those that take one, by their letters; the last counts. */
  readonly values: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  /** `xl -N`: only say what would be done. */
  readonly dryRun: boolean;
}

/** Reads a command line, with or without `xl` or `xm` in front. Total on any words. */
export function parseArgv(argv: readonly string[]): Parsed {
  const words = argv[0] === 'xl' || argv[0] === 'xm' ? argv.slice(1) : argv;
  let at = 0;
  let dryRun = false;
  for (; at < words.length && /^-./.test(words[at]!); at++)
    for (const letter of words[at]!.slice(1)) {
      if (!'vtTfN'.includes(letter)) return mistake(1, `${words[at]} is no option of xl itself: see xl help`);
      if (letter === 'N') dryRun = true;
    }
  const name = words[at];
  if (name === undefined) return { ok: false, rc: 1, stdout: helpText(), stderr: '' };
  if (name === 'help') return help(words[at + 1]);

  const found = lookUp(name);
  if (typeof found === 'string') return mistake(1, found);
  if (dryRun && !found.dryRun) return mistake(1, `xl ${found.name} has no dry run: leave -N out`);
  const read = readOptions(found, words.slice(at + 1));
  if ('unknown' in read) return mistake(2, `${read.unknown}: see xl help ${found.name}`);
  if (read.options.includes('h')) return { ok: false, rc: 0, stdout: usageText(found), stderr: '' };
  if (read.words.length < found.least) {
    const { stderr } = mistake(
      2,
      `${found.name} needs ${found.least === 1 ? 'a word' : `${found.least} words`} more: ${found.usage}`,
    );
    return { ok: false, rc: 2, stdout: usageText(found), stderr };
  }
  return { ok: true, invocation: { command: found.name, ...read, dryRun } };
}

const mistake = (rc: number, what: string) => ({ ok: false, rc, stdout: '', stderr: `xl: ${what}\n` }) as const;

function help(name: string | undefined): Parsed {
  if (name === undefined) return { ok: false, rc: 0, stdout: helpText(), stderr: '' };
  const found = lookUp(name);
  return typeof found === 'string' ? mistake(1, found) : { ok: false, rc: 0, stdout: usageText(found), stderr: '' };
}

/** A command by its name, or by a beginning that no other command has; otherwise what is wrong with it. */
function lookUp(name: string): Syntax | string {
  const names = [...commands.map((command) => command.name), ...otherCommands];
  const matches = names.includes(name) ? [name] : names.filter((one) => one.startsWith(name));
  if (matches.length > 1) return `there is no command ${name}: it could be ${matches.join(', ')}`;
  const found = commands.find((command) => command.name === matches[0]);
  if (found) return found;
  return matches.length === 1
    ? `${matches[0]} is not possible on this host: see xl help for what is`
    : `there is no command ${name}: see xl help`;
}

const HELP: OptionSyntax = { short: 'h', long: 'help', summary: '' };

type Read = Pick<Invocation, 'options' | 'values' | 'words'> | { readonly unknown: string };

function readOptions(syntax: Syntax, given: readonly string[]): Read {
  const known = [...syntax.options, HELP];
  const options: string[] = [];
  const values: Record<string, string> = {};
  const words: string[] = [];
  const queue = [...given];
  for (let word = queue.shift(); word !== undefined; word = queue.shift()) {
    if (word === '--') {
      words.push(...queue);
      break;
    }
    if (word === '-' || !word.startsWith('-')) {
      words.push(word);
      continue;
    }
    // One long option, or letters up to the first that takes a value: the rest of the word, or the next one.
    const equals = word.indexOf('=');
    const isLong = word.startsWith('--');
    const name = isLong ? word.slice(2, equals < 0 ? undefined : equals) : '';
    const named = isLong ? known.filter(({ long }) => long?.startsWith(name)) : [];
    const letters = isLong
      ? (named.find(({ long }) => long === name) ?? (named.length === 1 ? named[0] : undefined))?.short
      : word.slice(1);
    if (letters === undefined) return { unknown: `there is no option ${word}` };
    for (let i = 0; i < letters.length; i++) {
      const option = known.find(({ short }) => short === letters[i]);
      if (!option) return { unknown: `there is no option -${letters[i]}` };
      options.push(option.short);
      if (option.value === undefined) {
        if (isLong && equals >= 0) return { unknown: `--${option.long} takes no value` };
        continue;
      }
      const rest = isLong ? (equals < 0 ? undefined : word.slice(equals + 1)) : letters.slice(i + 1) || undefined;
      const value = rest ?? queue.shift();
      if (value === undefined) return { unknown: `${word} lacks its ${option.value}` };
      values[option.short] = value;
      break;
    }
  }
  return { options, values, words };
}
