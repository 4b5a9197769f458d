// Which files an `xl` command line reads: an input carries their contents, never a path of the outside.

/** Options of `xl create` that take the next word (tools/xl/xl_vmcontrol.c, main_create). */
const withValue = ['-f', '--defconfig'];

/**
 * The paths in dom0 that `argv` (without the leading "xl") reads: the configuration of `create`, from its first word that is no
 * option or from -f. Words with a = are settings of the domain.
 */
export function readsOf(argv: readonly string[]): readonly string[] {
  const words = argv.slice(argv.findIndex((word) => !word.startsWith('-')));
  if (words[0] !== 'create') return [];
  const reads: string[] = [];
  for (let at = 1; at < words.length; at++) {
    const word = words[at]!;
    const next = words[at + 1];
    if (withValue.includes(word)) {
      if (next !== undefined) reads.push(next);
      at++;
    } else if (word.startsWith('--defconfig=')) reads.push(word.slice('--defconfig='.length));
    else if (!word.startsWith('-') && !word.includes('=') && reads.length === 0) reads.push(word);
  }
  return reads;
}
