// Which files an `xl` command line reads: an input carries their contents, never a path of the outside.
import { parseArgv } from '../toolstack/xl/argv.ts';

/** The paths in dom0 that a command line reads: the configuration of `create`. Words with a = are settings of the domain. */
export function readsOf(argv: readonly string[]): readonly string[] {
  const parsed = parseArgv(argv);
  if (!parsed.ok || parsed.invocation.command !== 'create') return [];
  const { values, words } = parsed.invocation;
  const file = values['f'] ?? words.find((word) => !word.includes('='));
  return file === undefined ? [] : [file];
}
