// A command line as a shell would cut it: blanks, both quotes, backslashes. No variables, no patterns, no pipes.

export type Words = { readonly ok: true; readonly words: readonly string[] } | { readonly ok: false; readonly message: string };

/** `create "/etc/xen/my server.cfg" -c` -> three words. An open quote is the only thing that can be wrong. */
export function splitWords(line: string): Words {
  const words: string[] = [];
  let word: string | undefined;
  let quote = '';
  for (let at = 0; at < line.length; at++) {
    const char = line[at]!;
    if (quote === "'") {
      if (char === quote) quote = '';
      else word += char;
    } else if (char === '\\') {
      const next = line[at + 1];
      if (next === undefined) return { ok: false, message: 'it ends with a backslash: take it out or write two' };
      // Within double quotes a backslash is only special before what it can protect there.
      word = (word ?? '') + (quote === '"' && next !== '"' && next !== '\\' ? char + next : next);
      at++;
    } else if (char === quote) quote = '';
    else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      word ??= '';
    } else if (quote === '' && /\s/.test(char)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + char;
  }
  if (quote !== '') return { ok: false, message: `a quoted word is not ended: add ${quote}` };
  if (word !== undefined) words.push(word);
  return { ok: true, words };
}
