import { strtol } from './c-text.ts';
import type { Diagnostic } from './diagnostic.ts';

/** A value as it is written: numbers are strings too until somebody asks for a number. */
export type Value =
  | { readonly type: 'string'; readonly text: string; readonly line: number }
  | { readonly type: 'list'; readonly values: readonly Value[]; readonly line: number };

export interface Setting {
  readonly name: string;
  readonly op: '=' | '+=';
  readonly value: Value;
  readonly line: number;
}

/** ESRCH: not set. EINVAL: set to something else, and `warning` says to what. ERANGE: a number beyond 64 bits. */
export type Got<T> =
  | { readonly ok: true; readonly value: T; readonly line: number }
  | { readonly ok: false; readonly errno: 'ESRCH' }
  | { readonly ok: false; readonly errno: 'EINVAL' | 'ERANGE'; readonly warning: Diagnostic };

/**
 * The settings of one configuration file and libxlu's typed questions about them (tools/libs/util/libxlu_cfg.c, xlu_cfg_get_*).
 * Of several settings with one name the last counts; `+=` has already been joined to what was before.
 */
export class Settings {
  readonly file: string;
  /** In the order of the file. */
  readonly all: readonly Setting[];
  private readonly last: ReadonlyMap<string, Setting>;
  constructor(file: string, all: readonly Setting[]) {
    this.file = file;
    this.all = all;
    this.last = new Map(all.map((setting) => [setting.name, setting]));
  }

  find(name: string): Setting | undefined {
    return this.last.get(name);
  }

  getString(name: string): Got<string> {
    const setting = this.find(name);
    if (setting === undefined) return { ok: false, errno: 'ESRCH' };
    const { value, line } = setting;
    if (value.type === 'string') return { ok: true, value: value.text, line };
    return this.invalid(setting, `'${name}' is a list where one value is needed: it is ignored; take the brackets away`);
  }

  /** A C `long`: decimal, 0x or 0 in front, and a sign where it is quoted. */
  getLong(name: string): Got<bigint> {
    const got = this.getString(name);
    if (!got.ok) return got;
    const setting = this.find(name)!;
    if (setting.op === '+=') return this.invalid(setting, `'${name}' is a number, which += cannot add to: it is ignored; use =`);
    const number = strtol(got.value, 0);
    if (number.overflow) {
      const { warning } = this.invalid(setting, `'${name}' does not fit in 64 bits: it is ignored; write a smaller number`);
      return { ok: false, errno: 'ERANGE', warning };
    }
    if (number.end === 0 || number.end !== got.value.length)
      return this.invalid(setting, `'${name}' is not a whole number: it is ignored; write digits only, without a unit`);
    return { ok: true, value: number.value, line: got.line };
  }

  /** A number from `min` to `max`, both included. */
  getBoundedLong(name: string, min: bigint, max: bigint): Got<bigint> {
    const got = this.getLong(name);
    if (!got.ok || (got.value >= min && got.value <= max)) return got;
    return this.invalid(this.find(name)!, `'${name}' must be from ${min} to ${max}: it is ignored`);
  }

  /** A number read as a truth: everything but 0 is true. */
  getDefbool(name: string): Got<boolean> {
    const got = this.getLong(name);
    return got.ok ? { ok: true, value: got.value !== 0n, line: got.line } : got;
  }

  getList(name: string): Got<readonly Value[]> {
    const setting = this.find(name);
    if (setting === undefined) return { ok: false, errno: 'ESRCH' };
    const { value, line } = setting;
    if (value.type === 'list') return { ok: true, value: value.values, line };
    return this.invalid(setting, `'${name}' is one value where a list is needed: it is ignored; put it in brackets`);
  }

  private invalid(setting: Setting, message: string): { ok: false; errno: 'EINVAL'; warning: Diagnostic } {
    return { ok: false, errno: 'EINVAL', warning: { file: this.file, line: setting.line, message } };
  }
}

/** The strings of a list up to the first entry that is itself a list: libxlu's readers stop there. */
export function leadingStrings(values: readonly Value[]): string[] {
  const strings: string[] = [];
  for (const value of values) {
    if (value.type !== 'string') break;
    strings.push(value.text);
  }
  return strings;
}
