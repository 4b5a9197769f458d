// Numbers of 64 bits where 53 are not enough: text in hexadecimal in commands and facts, two words of 32 bits in tables.

/** "0x" and one to sixteen digits. */
export const isHex64 = (text: string): boolean => /^0x[0-9a-f]{1,16}$/i.test(text);

export interface Words {
  readonly low: number;
  readonly high: number;
}
/** Anything that is no number of 64 bits reads as 0: see `isHex64`. */
export function wordsOf(text: string): Words {
  if (!isHex64(text)) return { low: 0, high: 0 };
  const digits = text.slice(2).padStart(16, '0');
  return { low: Number.parseInt(digits.slice(8), 16), high: Number.parseInt(digits.slice(0, 8), 16) };
}
export function hex64({ low, high }: Words): string {
  return high === 0 ? `0x${low.toString(16)}` : `0x${high.toString(16)}${low.toString(16).padStart(8, '0')}`;
}
/** Whether an address of 48 bits is meant, the upper ones as its highest. */
export function isCanonical(text: string): boolean {
  const { high } = wordsOf(text);
  const upper = high >>> 15;
  return upper === 0 || upper === 0x1ffff;
}
