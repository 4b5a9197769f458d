import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal } from '../tables/journal.ts';
import { bytesImage } from './bytes-image.ts';
import { Overlay } from './overlay.ts';

/** 21 sectors: two pages and a part of a third, so that the end is inside a page. */
const SECTORS = 21;
const base = bytesImage(Uint8Array.from({ length: SECTORS * 512 }, (_, i) => (i * 7) >> 3));
const content = (disk: { read(sector: number, into: Uint8Array): unknown }): Uint8Array => {
  const bytes = new Uint8Array(SECTORS * 512);
  disk.read(0, bytes);
  return bytes;
};
/** `toEqual` takes milliseconds for ten thousand bytes. */
const same = (a: Uint8Array, b: Uint8Array) => a.every((byte, i) => byte === b[i]);
const sectors = (count: number, byte: number) => new Uint8Array(count * 512).fill(byte);
const disk = (mode: 'r' | 'w' = 'w', journal = new Journal()) => new Overlay(base, journal, mode);

test('a write shows where it was made and nowhere else; the image stays', () => {
  const overlay = disk();
  const before = content(base);
  expect(overlay.write(6, sectors(4, 0xee))).toEqual({ ok: true }); // across two pages
  const expected = before.slice();
  expected.fill(0xee, 6 * 512, 10 * 512);
  expect(content(overlay)).toEqual(expected);
  expect(content(base)).toEqual(before);
});

test.each([
  ['read-only', disk('r'), 0, sectors(1, 1), 'EROFS'],
  ['half a sector', disk(), 0, new Uint8Array(100), 'EINVAL'],
  ['beyond the end', disk(), 20, sectors(2, 1), 'EINVAL'],
  ['before the start', disk(), -1, sectors(1, 1), 'EINVAL'],
  ['no whole number', disk(), 0.5, sectors(1, 1), 'EINVAL'],
  ['no number', disk(), Number.NaN, sectors(1, 1), 'EINVAL'],
])('%s is refused and changes nothing', (_, overlay, sector, bytes, errno) => {
  expect(overlay.write(sector, bytes)).toEqual({ ok: false, errno });
  expect(content(overlay)).toEqual(content(base));
  if (errno === 'EINVAL') expect(overlay.read(sector, bytes)).toEqual({ ok: false, errno });
});

test('the digest knows contents, not history', () => {
  const written = disk();
  const untouched = written.digest();
  const original = content(base).slice(8 * 512, 9 * 512);
  written.write(8, sectors(1, 9));
  const changed = written.digest();
  expect(changed).not.toBe(untouched);
  written.write(8, original);
  expect(written.digest()).toBe(untouched);
  const other = disk();
  other.write(9, sectors(1, 9));
  expect(other.digest()).not.toBe(changed);
});

test('snapshot and restore, rollback and digest agree with a plain copy, whatever is written', () => {
  const write = fc.record({ sector: fc.nat(SECTORS - 1), count: fc.integer({ min: 1, max: 12 }), byte: fc.nat(255) });
  const action = fc.oneof(
    { weight: 3, arbitrary: write },
    fc.constantFrom('mark', 'rollback', 'commit', 'snapshot', 'restore', 'digest'),
  );
  fc.assert(
    fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
      const journal = new Journal();
      const overlay = disk('w', journal);
      let model = content(base);
      const marks: { mark: number; model: Uint8Array }[] = [];
      let saved = { snapshot: overlay.snapshot(), model: model.slice() };
      for (const next of actions) {
        if (typeof next === 'object') {
          const fits = next.sector + next.count <= SECTORS;
          expect(overlay.write(next.sector, sectors(next.count, next.byte)).ok).toBe(fits);
          if (fits) model.fill(next.byte, next.sector * 512, (next.sector + next.count) * 512);
        } else if (next === 'mark') marks.push({ mark: journal.mark(), model: model.slice() });
        else if (next === 'rollback' && marks.length > 0) {
          const { mark, model: old } = marks.pop()!;
          journal.rollback(mark);
          model = old;
        } else if (next === 'commit' && marks.length > 0) {
          marks.pop();
          journal.commit();
        } else if (next === 'snapshot') saved = { snapshot: overlay.snapshot(), model: model.slice() };
        else if (next === 'restore' && marks.length === 0) {
          overlay.restore(saved.snapshot);
          model = saved.model.slice();
        } else if (next === 'digest') overlay.digest();
        expect(same(content(overlay), model)).toBe(true);
      }
      const fresh = disk();
      fresh.write(0, model);
      expect(overlay.digest()).toBe(fresh.digest());
    }),
  );
});
