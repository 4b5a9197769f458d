import { expect, test } from 'vitest';
import { Journal } from './journal.ts';

/** A number that writes its old values into the journal. */
class Register {
  value = 0;
  private readonly journal: Journal;
  constructor(journal: Journal) {
    this.journal = journal;
  }
  restore(_index: number, old: number): void {
    this.value = old;
  }
  set(value: number): void {
    if (this.journal.depth > 0) this.journal.record(this, 0, this.value);
    this.value = value;
  }
}

test.each([
  { steps: 'mark set rollback', ends: 0 },
  { steps: 'set mark set set rollback', ends: 1 },
  { steps: 'mark set mark set rollback', ends: 1 },
  { steps: 'mark set mark set rollback rollback', ends: 0 },
  { steps: 'mark set mark set commit rollback', ends: 0 },
  { steps: 'mark set commit', ends: 1 },
  { steps: 'mark set commit mark set rollback', ends: 1 },
])('$steps ends at $ends', ({ steps, ends }) => {
  const journal = new Journal();
  const register = new Register(journal);
  const marks: number[] = [];
  let next = 1;
  for (const step of steps.split(' ')) {
    if (step === 'mark') marks.push(journal.mark());
    else if (step === 'set') register.set(next++);
    else if (step === 'rollback') journal.rollback(marks.pop()!);
    else {
      marks.pop();
      journal.commit();
    }
  }
  expect(register.value).toBe(ends);
  expect(journal.depth).toBe(marks.length);
});

test('numbers and closures come undone in one order, newest first', () => {
  const journal = new Journal();
  const register = new Register(journal);
  const seen: number[] = [];
  const mark = journal.mark();
  register.set(1);
  journal.recordUndo(() => seen.push(register.value));
  register.set(2);
  journal.recordUndo(() => seen.push(register.value));
  register.set(3);
  journal.rollback(mark);
  expect(seen).toEqual([2, 1]);
  expect(register.value).toBe(0);
});

test('a journal of many changes grows', () => {
  const journal = new Journal();
  const register = new Register(journal);
  const mark = journal.mark();
  for (let i = 1; i <= 5000; i++) register.set(i);
  journal.rollback(mark);
  expect(register.value).toBe(0);
});

test('the epoch changes with every mark and rollback, so that a copy made before is known to be old', () => {
  const journal = new Journal();
  const epochs = [journal.epoch];
  const mark = journal.mark();
  epochs.push(journal.epoch);
  journal.rollback(mark);
  epochs.push(journal.epoch);
  expect(new Set(epochs).size).toBe(3);
});
