import { expect, test } from 'vitest';
import { currentShape, type Shape } from './shape.ts';
import { namedAsToday } from './upcast.ts';

const fieldsOf = (shape: Shape, name: string) => shape.facts.filter(([type]) => type === name).map(([, fields]) => fields);

test('facts of older vocabularies have the names and the fields of today', () => {
  const before: Shape = {
    ...currentShape,
    facts: [...currentShape.facts, ['vcpu.nmi_raised', fieldsOf(currentShape, 'vcpu.nmi_sent')[0]!]],
  };
  const today = namedAsToday(before);
  expect(today.facts).toHaveLength(before.facts.length);
  expect(fieldsOf(today, 'vcpu.nmi_raised')).toEqual([]);
  // Both are read, and as the same.
  const [sent, raised] = fieldsOf(today, 'vcpu.nmi_sent');
  expect(raised).toEqual(sent);
  expect(namedAsToday(currentShape)).toEqual(currentShape);
});
