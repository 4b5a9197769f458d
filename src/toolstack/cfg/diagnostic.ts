/** Something to say about a configuration file: where, and one sentence that says what is wrong and what to do. */
export interface Diagnostic {
  readonly file: string;
  /** 1 is the first line; undefined where it is the whole file that lacks something. */
  readonly line: number | undefined;
  readonly message: string;
}

export const formatDiagnostic = ({ file, line, message }: Diagnostic): string =>
  line === undefined ? `${file}: ${message}` : `${file}:${line}: ${message}`;
