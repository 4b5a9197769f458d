import { int32, uint32 } from './c-text.ts';
import type { Diagnostic } from './diagnostic.ts';
import { type Got, leadingStrings, type Settings, type Value } from './settings.ts';

/**
 * One pass over a file's settings: what they say, and what is to be said about them. xl ends at the first error; here the
 * reading goes on to its end, and what is said after the first error does not count.
 */
export class Reading {
  readonly warnings: Diagnostic[] = [];
  failure: { readonly rc: number; readonly error: Diagnostic } | undefined;
  readonly settings: Settings;
  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** A problem with a setting after which xl goes on. */
  warn(key: string, message: string): void {
    this.report({ file: this.settings.file, line: this.settings.find(key)?.line, message });
  }

  /** A problem with a setting (or with its absence) for which xl ends with exit status `rc`. */
  fail(key: string, message: string, rc = 1): undefined {
    this.failure ??= { rc, error: { file: this.settings.file, line: this.settings.find(key)?.line, message } };
  }

  text(key: string): string | undefined {
    return this.value(this.settings.getString(key));
  }
  long(key: string): bigint | undefined {
    return this.value(this.settings.getLong(key));
  }
  /** As `long`, without a word where it is something else: the caller tries that next. */
  quietLong(key: string): bigint | undefined {
    const got = this.settings.getLong(key);
    return got.ok ? got.value : undefined;
  }
  int(key: string): number | undefined {
    const value = this.long(key);
    return value === undefined ? undefined : int32(value);
  }
  uint32(key: string): number | undefined {
    const value = this.long(key);
    return value === undefined ? undefined : uint32(value);
  }
  /** A number of MiB in the file, as KiB. */
  kb(key: string): bigint | undefined {
    const value = this.long(key);
    return value === undefined ? undefined : BigInt.asUintN(64, value * 1024n);
  }
  flag(key: string): boolean | undefined {
    return this.value(this.settings.getDefbool(key));
  }
  list(key: string): readonly Value[] | undefined {
    return this.value(this.settings.getList(key));
  }
  /** The strings of a list; empty where the key is not set to a list. */
  strings(key: string): readonly string[] {
    return leadingStrings(this.list(key) ?? []);
  }

  private value<T>(got: Got<T>): T | undefined {
    if (got.ok) return got.value;
    if (got.errno !== 'ESRCH') this.report(got.warning);
    return undefined;
  }

  private report(warning: Diagnostic): void {
    if (this.failure === undefined) this.warnings.push(warning);
  }
}
