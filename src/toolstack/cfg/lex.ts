// The words of a configuration file, as tools/libs/util/libxlu_cfg_l.l cuts them.

export type TokenKind = 'IDENT' | 'STRING' | 'NUMBER' | 'NEWLINE' | '+=' | '=' | ',' | '[' | ']' | ';' | 'EOF';

export interface Token {
  readonly kind: TokenKind;
  /** The name, the digits, or what a quoted string says. */
  readonly text: string;
  readonly line: number;
}

export interface LexicalError {
  readonly line: number;
  readonly message: string;
  /** Further errors up to this line are consequences of this one; xl does not show them. */
  readonly hides: number;
  /** It lies within a quoted string: libxlu notices only while nothing else was wrong before. */
  readonly inString?: true;
}

/**
 * What a file is cut into: words, and between them the places where no word could be read. `abort` stands before a quoted
 * string with a NUL in it, on which libxlu ends with a failed assertion (xlu__cfgl_dequote).
 */
export type Piece = { readonly token: Token } | { readonly error: LexicalError } | { readonly abort: number };

/** The pieces of a file, one char per byte. Total; the last piece is EOF. */
export function* lex(text: string): Generator<Piece> {
  let at = 0;
  let line = 1;
  while (at < text.length) {
    const rest = quoted(text, at) ?? match(/[a-z][._0-9a-z]*|[0-9][0-9a-fx]*|[ \t]|\+=|[,[\]=;]|#[^\n]*\n|\n/y, text, at);
    if (rest !== undefined) {
      at += rest.length;
      const first = rest[0]!;
      if (first === ' ' || first === '\t') continue;
      if (first === '\n' || first === '#') yield { token: { kind: 'NEWLINE', text: '', line: line++ } };
      else if (first === '"' || first === "'") {
        if (rest.includes('\0')) yield { abort: line };
        const string = dequote(rest.slice(1, -1));
        if (string.error !== undefined) yield { error: { line, message: string.error, hides: line, inString: true } };
        yield { token: { kind: 'STRING', text: string.text, line } };
      } else yield { token: { kind: kindOf(first), text: rest, line } };
      continue;
    }
    // Not the start of any word: up to the next blank it is one mistake.
    const run = match(/[^ \t\n]+/y, text, at + 1) ?? '';
    const bad = text[at]! + run;
    at += bad.length;
    if (run === '' && at === text.length) break; // As in flex: a lone character at the very end goes unnoticed.
    const message = `cannot read ${quote(bad)}: ${advice(bad)}`;
    if (run === '' && text[at] === '\n') {
      yield { error: { line, message, hides: line + 1 } };
      at++;
      yield { token: { kind: 'NEWLINE', text: '', line: line++ } };
      continue;
    }
    if (run === '') at++;
    yield { error: { line, message, hides: line } };
  }
  yield { token: { kind: 'EOF', text: '', line: text.endsWith('\n') ? line - 1 : line } };
}

/** A piece of a file in a message: no control characters, and not the whole file. */
export const quote = (text: string): string => {
  const shown = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  return `'${shown.replace(/[^ -~\x80-\xff]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)}'`;
};

const kindOf = (first: string): TokenKind => {
  if (first >= 'a' && first <= 'z') return 'IDENT';
  if (first >= '0' && first <= '9') return 'NUMBER';
  return first === '+' ? '+=' : (first as TokenKind);
};

/** A whole quoted string from its first quote to its last, within one line. */
function quoted(text: string, start: number): string | undefined {
  const mark = text[start];
  if (mark !== '"' && mark !== "'") return undefined;
  for (let at = start + 1; at < text.length && text[at] !== '\n'; at++) {
    if (text[at] === mark) return text.slice(start, at + 1);
    if (text[at] === '\\' && text[++at] === '\n') return undefined;
  }
  return undefined;
}

const match = (pattern: RegExp, text: string, at: number): string | undefined => {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
};

const advice = (bad: string): string => {
  if (bad[0] === '"' || bad[0] === "'") return 'close the quoted string on the line where it starts';
  if (bad[0] === '\r') return 'save the file with Unix line ends';
  if (bad.startsWith('\xef\xbb\xbf')) return 'save the file without a byte order mark';
  if (bad[0] === '#') return 'end the last line with a newline';
  if (/^[-+.():]/.test(bad))
    return 'write a value as a "string", a whole number from 0 up or a [list]; Python code is not understood';
  return 'write a value as a "string", a whole number or a [list], and names in lower case';
};

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};

/** xlu__cfgl_dequote. A numeric escape adds no character there: hexadecimal is always refused, octal is read and dropped. */
function dequote(body: string): { readonly text: string; readonly error?: string } {
  let text = '';
  for (let at = 0; at < body.length; at++) {
    const c = body[at]!;
    if (c !== '\\') {
      text += c;
      continue;
    }
    const escaped = body[++at]!;
    const plain = escapes[escaped];
    if (plain !== undefined) text += plain;
    else if (escaped >= '0' && escaped <= '7') {
      const number = /^(?:[ \t\v\f\r]*[+-]?\d+)/.exec(body.slice(at + 1, at + 4))?.[0] ?? '';
      if (number.length < 2) return { text, error: `a backslash and a digit need two more digits in ${quote(body)}` };
      at += number.length;
    } else
      return {
        text,
        error: `there is no escape \\${quote(escaped).slice(1, -1)} in a string: use \\\\, \\", \\', \\n, \\t or the character itself`,
      };
  }
  return { text };
}
