// Where the bytes of a log come from: memory, a file, a database. Synchronous, and read piece by piece: a log may be larger than memory.

export interface Source {
  /** In bytes. What is written behind it later does not count. */
  readonly size: number;
  /** The bytes from `at` on, `length` of them or as many as there are. They stay as they are. */
  read(at: number, length: number): Uint8Array;
  /** Nothing is read any more. */
  close?(): void;
}

/** Bytes that are in memory already. */
export const bytesSource = (bytes: Uint8Array): Source => ({
  size: bytes.length,
  read: (at, length) => bytes.subarray(at, at + length),
});

/** The first `size` bytes of a source, and then these. */
export function withTail(source: Source, size: number, tail: Uint8Array): Source {
  return {
    size: size + tail.length,
    read(at, length) {
      if (at >= size) return tail.subarray(at - size, at - size + length);
      const head = source.read(at, Math.min(length, size - at));
      if (at + length <= size || head.length < size - at) return head;
      const bytes = new Uint8Array(Math.min(length, size + tail.length - at));
      bytes.set(head);
      bytes.set(tail.subarray(0, bytes.length - head.length), head.length);
      return bytes;
    },
    close: () => source.close?.(),
  };
}
