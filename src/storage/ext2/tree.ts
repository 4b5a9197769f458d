// What is to stand on a new file system.

/** Names are strings of one char a byte. Their order does not matter. */
export interface FileTree {
  readonly [name: string]: FileNode;
}

interface Owned {
  /** The twelve permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}
export type FileNode =
  | (Owned & { readonly kind: 'directory'; readonly files: FileTree })
  | (Owned & { readonly kind: 'file'; readonly bytes: Uint8Array })
  | (Owned & { readonly kind: 'symlink'; readonly target: string });

const root = { uid: 0, gid: 0 };

/** The three kinds, owned by root and with the usual permissions unless told otherwise. Text is written as UTF-8. */
export const directory = (files: FileTree, owned: Partial<Owned> = {}): FileNode => ({
  kind: 'directory',
  files,
  mode: 0o755,
  ...root,
  ...owned,
});
export const file = (bytes: string | Uint8Array, owned: Partial<Owned> = {}): FileNode => ({
  kind: 'file',
  bytes: typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes,
  mode: 0o644,
  ...root,
  ...owned,
});
export const symlink = (target: string, owned: Partial<Owned> = {}): FileNode => ({
  kind: 'symlink',
  target,
  mode: 0o777,
  ...root,
  ...owned,
});
