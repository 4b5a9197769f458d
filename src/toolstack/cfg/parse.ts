// The grammar of a configuration file: assignments of strings, numbers and nested lists (tools/libs/util/libxlu_cfg_y.y).
import type { Diagnostic } from './diagnostic.ts';
import { type LexicalError, lex, type Piece, quote, type Token } from './lex.ts';
import { type Setting, Settings, type Value } from './settings.ts';

/** `rc` is the exit status of `xl create`: 1, or -6 where xl is killed by its own failed assertion. */
export type Parsed =
  | { readonly ok: true; readonly settings: Settings; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly rc: number; readonly errors: readonly Diagnostic[] };

/**
 * Reads a whole configuration file.
 *
 * @param text one char per byte: xl knows no encoding
 * @param fileName as it shall stand in messages
 */
export function parseConfig(text: string, fileName: string): Parsed {
  const parser = new Parser(lex(text), fileName);
  parser.file();
  const { errors, aborted, all } = parser;
  if (aborted !== undefined) {
    const message = 'a NUL byte in a quoted string makes xl abort: take it out';
    return { ok: false, rc: -6, errors: [...errors, { file: fileName, line: aborted, message }] };
  }
  if (errors.length > 0) return { ok: false, rc: 1, errors };
  return { ok: true, settings: new Settings(fileName, all), warnings: [] };
}

/** How deep lists may nest. libxlu's limit is bison's, YYMAXDEPTH: 10,000 symbols on its stack, two for each list. */
const MAX_DEPTH = 4990;

class Parser {
  readonly errors: Diagnostic[] = [];
  readonly all: Setting[] = [];
  aborted: number | undefined;
  private readonly pieces: Iterator<Piece>;
  private readonly fileName: string;
  private readonly last = new Map<string, Value>();
  private token: Token = { kind: 'NEWLINE', text: '', line: 1 };
  /** Syntax errors up to this line are consequences of a lexical one and stay unsaid. */
  private hidden = 0;
  /** As bison's yyerrstatus: after an error, three tokens must fit before the next one is reported. */
  private recovering = 0;

  constructor(pieces: Iterator<Piece>, fileName: string) {
    this.pieces = pieces;
    this.fileName = fileName;
    this.read();
  }

  file(): void {
    while (this.token.kind !== 'EOF') {
      if (this.statement()) continue;
      // Like bison's `error NEWLINE`: drop everything up to the end of the line.
      this.recovering = 3;
      while (!this.is('NEWLINE', 'EOF')) this.read();
      if (this.token.kind === 'NEWLINE') this.shift();
    }
  }

  private statement(): boolean {
    if (this.is('NEWLINE', ';')) return this.shift();
    const name = this.token.text;
    if (!this.expect('a name at the start of an assignment', 'IDENT')) return false;
    const op = this.token.kind;
    if (!this.expect(`= or += after ${quote(name)}`, '=', '+=')) return false;
    const value = this.value(`a value for ${quote(name)}`);
    if (value === undefined) return false;
    this.store(name, op as Setting['op'], value);
    if (this.token.kind === 'EOF') return true;
    return this.expect(`a new line or ; after the value of ${quote(name)}`, 'NEWLINE', ';');
  }

  /** A string, a number or a list; lists within lists are kept on a stack of our own, for the file chooses their depth. */
  private value(wanted: string): Value | undefined {
    const open: { values: Value[]; line: number }[] = [];
    for (;;) {
      let value: Value;
      const { text, line } = this.token;
      if (this.is('[')) {
        if (open.length >= MAX_DEPTH) return this.refuse('lists nested less deep');
        this.shift();
        open.push({ values: [], line });
        this.newLines();
        if (!this.is(']')) continue;
        this.shift();
        value = { type: 'list', ...open.pop()! };
      } else if (this.expect(open.length > 0 ? 'a value or ] in the list' : wanted, 'STRING', 'NUMBER'))
        value = { type: 'string', text, line };
      else return undefined;
      // A value is complete; perhaps the lists around it are too.
      for (;;) {
        const list = open.at(-1);
        if (list === undefined) return value;
        list.values.push(value);
        this.newLines();
        if (this.is(',')) {
          this.shift();
          this.newLines();
          if (!this.is(']')) break;
        }
        if (!this.expect(`, or ] in the list that starts at line ${list.line}`, ']')) return undefined;
        value = { type: 'list', ...open.pop()! };
      }
    }
  }

  private newLines(): void {
    while (this.is('NEWLINE')) this.shift();
  }

  private store(name: string, op: Setting['op'], value: Value): undefined {
    if (this.errors.length > 0) return;
    const before = this.last.get(name);
    let joined = value;
    if (op === '+=' && before !== undefined) {
      if (before.type === 'string' && value.type === 'string') joined = { ...value, text: before.text + value.text };
      else if (before.type === 'list' && value.type === 'list')
        joined = { ...value, values: [...before.values, ...value.values] };
      else
        return this.lexicalError({
          line: value.line,
          hides: value.line,
          message: `+= cannot join a list and a single value: give '${name}' the same kind both times`,
        });
    }
    this.last.set(name, joined);
    this.all.push({ name, op, value: joined, line: value.line });
  }

  private is(...kinds: readonly Token['kind'][]): boolean {
    return kinds.includes(this.token.kind);
  }

  private expect(wanted: string, ...kinds: readonly Token['kind'][]): boolean {
    if (this.is(...kinds)) return this.shift();
    this.refuse(wanted);
    return false;
  }

  private refuse(wanted: string): undefined {
    const { kind, text, line } = this.token;
    if (this.recovering > 0 || line <= this.hidden) return;
    const found = kind === 'NEWLINE' ? 'the end of the line' : kind === 'EOF' ? 'the end of the file' : quote(text);
    this.errors.push({ file: this.fileName, line, message: `found ${found} where there must be ${wanted}` });
  }

  private lexicalError({ line, message, hides }: LexicalError): undefined {
    if (hides <= this.hidden) return;
    this.errors.push({ file: this.fileName, line, message });
    this.hidden = hides;
  }

  private shift(): true {
    if (this.recovering > 0) this.recovering--;
    this.read();
    return true;
  }

  private read(): void {
    for (;;) {
      const piece = this.pieces.next().value as Piece;
      if ('token' in piece) {
        this.token = piece.token;
        return;
      }
      // Once something was wrong libxlu does not unquote any more, so that it does not stumble over what is quoted.
      if ('error' in piece) {
        if (this.errors.length === 0 || !piece.error.inString) this.lexicalError(piece.error);
      } else if (this.errors.length === 0) {
        this.aborted ??= piece.abort;
      }
    }
  }
}
