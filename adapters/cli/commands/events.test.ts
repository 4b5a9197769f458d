import { expect, test } from 'vitest';
import { pattern } from './events.ts';

test.each([
  ['evtchn.*', 'evtchn.closed', true],
  ['evtchn.*', 'xevtchn.closed', false],
  ['*.closed', 'evtchn.closed', true],
  ['*', 'anything', true],
  ['vbd.note_served', 'vbd.note_served', true],
  ['vbd.note_served', 'vbdxnote_served', false],
  ['v*d.*_served', 'vbd.note_served', true],
  ['(', 'evtchn.closed', false],
  ['', 'evtchn.closed', false],
])('%j and %s: %s', (text, type, matches) => {
  expect(pattern(text)(type)).toBe(matches);
});
