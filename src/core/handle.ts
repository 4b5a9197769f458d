// A domain's handle (its UUID) as text and as numbers.

/** A UUID in its text form as four numbers; anything else than 32 hex digits (dashes aside) reads as undefined. */
export function parseHandle(text: string): readonly [number, number, number, number] | undefined {
  const digits = text.replaceAll('-', '');
  if (!/^[0-9a-fA-F]{32}$/.test(digits)) return undefined;
  const word = (i: number): number => Number.parseInt(digits.slice(i * 8, i * 8 + 8), 16);
  return [word(0), word(1), word(2), word(3)];
}
export function formatHandle(words: readonly [number, number, number, number]): string {
  const digits = words.map((word) => word.toString(16).padStart(8, '0')).join('');
  return [digits.slice(0, 8), digits.slice(8, 12), digits.slice(12, 16), digits.slice(16, 20), digits.slice(20)].join('-');
}
