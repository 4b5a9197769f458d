import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { Journal } from './journal.ts';
import { Records } from './records.ts';

interface Guest {
  name: string;
  disks: string[];
}
const guest = (name: string, ...disks: string[]): Guest => ({ name, disks });

test('records are set, changed and deleted by number', () => {
  const records = new Records<Guest>('guest', new Journal());
  records.set(7, guest('web'));
  records.update(7, (draft) => {
    draft.disks.push('xvda');
  });
  records.update(8, (draft) => {
    draft.name = 'nobody';
  });
  expect(records.get(7)).toEqual(guest('web', 'xvda'));
  expect(records.keys()).toEqual([7]);
  records.delete(7);
  records.delete(9);
  expect(records.get(7)).toBeUndefined();
});

test('keys ascend, also after a deletion is undone', () => {
  const journal = new Journal();
  const records = new Records<Guest>('guest', journal);
  for (const key of [3, 1, 2]) records.set(key, guest(`g${key}`));
  const mark = journal.mark();
  records.delete(1);
  journal.rollback(mark);
  expect([...records.entries()].map(([key]) => key)).toEqual([1, 2, 3]);
});

test('a difference names the record', () => {
  const a = new Records<Guest>('guest', new Journal());
  const b = new Records<Guest>('guest', new Journal());
  for (const records of [a, b]) records.set(1, guest('web'));
  expect([...a.diff(b)]).toEqual([]);
  b.update(1, (draft) => {
    draft.name = 'db';
  });
  expect([...a.diff(b)]).toEqual(['guest[1]: {"name":"web","disks":[]} -> {"name":"db","disks":[]}']);
});

test('undo and restore bring back the digest', () => {
  const change = fc.record({
    key: fc.nat(4),
    name: fc.string({ maxLength: 3 }),
    what: fc.constantFrom('set', 'update', 'delete'),
  });
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 30, size: 'max' }),
      fc.array(change, { maxLength: 30, size: 'max' }),
      (first, second) => {
        const journal = new Journal();
        const records = new Records<Guest>('guest', journal);
        const run = (changes: typeof first): void => {
          for (const { key, name, what } of changes) {
            if (what === 'set') records.set(key, guest(name));
            else if (what === 'delete') records.delete(key);
            else
              records.update(key, (draft) => {
                draft.disks.push(name);
              });
          }
        };
        run(first);
        const digest = records.digest();
        const snapshot = records.snapshot();
        const mark = journal.mark();
        run(second);
        journal.rollback(mark);
        expect(records.digest()).toBe(digest);
        run(second);
        const later = records.snapshot();
        expect(new Map(later)).toEqual(new Map(records.entries()));
        expect(records.snapshot()).toBe(later);
        records.restore(snapshot);
        expect(records.digest()).toBe(digest);
        expect(records.snapshot()).toBe(snapshot);
      },
    ),
  );
});
