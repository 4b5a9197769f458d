// Hashing of byte strings, for comparing states.
import { mix } from '../tables/table.ts';

export const hashText = (hash: number, text: string): number => {
  let h = mix(hash, text.length);
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h, 0);
};
