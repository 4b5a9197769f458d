// A vocabulary as plain data, and where it has its columns in a block: one for each field of each message.
import type { ColumnKind } from './column.ts';
import { errnos } from './errno.ts';
import type { Field, FieldKind, Fields } from './schema.ts';
import { facts, operations } from './vocabulary.ts';

/** One field as the header of a log describes it: name, kind, and the names of an enumeration. */
export type ShapeField = readonly [name: string, kind: FieldKind, names?: readonly string[]];
/** A vocabulary as plain data. A log carries its own, so that it can be read when the vocabulary has grown. */
export interface Shape {
  readonly commands: readonly (readonly [type: string, args: readonly ShapeField[], returns: readonly ShapeField[]])[];
  readonly facts: readonly (readonly [type: string, fields: readonly ShapeField[]])[];
  readonly errnos: readonly string[];
}

const shapeFields = (fields: Fields): ShapeField[] =>
  Object.entries(fields).map(([name, { kind, names }]: [string, Field<unknown>]) => (names ? [name, kind, names] : [name, kind]));

/** The vocabulary of this code. */
export const currentShape: Shape = {
  commands: Object.entries(operations).map(([type, { args, returns }]) => [type, shapeFields(args), shapeFields(returns)]),
  facts: Object.entries(facts).map(([type, fields]) => [type, shapeFields(fields)]),
  errnos,
};

export interface FieldPlan {
  readonly name: string;
  readonly kind: FieldKind;
  readonly names: readonly string[] | undefined;
  /** The column's number in the block. */
  readonly column: number;
}
export interface CommandPlan {
  readonly id: number;
  readonly type: string;
  readonly args: readonly FieldPlan[];
  readonly returns: readonly FieldPlan[];
}
export interface FactPlan {
  readonly id: number;
  readonly type: string;
  readonly fields: readonly FieldPlan[];
}

/** The columns of the step itself, which come first. */
export const frame = {
  time: 0,
  origin: 1,
  cause: 2,
  batch: 3,
  command: 4,
  /** How many words of guest memory the step read, and the words of all steps one after the other. */
  readCount: 5,
  reads: 6,
  outcome: 7,
  /** How many facts the step has, and the types of all facts one after the other. */
  factCount: 8,
  facts: 9,
} as const;
const frameKinds: readonly ColumnKind[] = ['int', 'text', 'int', 'int', 'uint', 'uint', 'int', 'uint', 'uint', 'uint'];

/** Where every column of a block is, for a vocabulary. */
export class Plan {
  readonly columns: { readonly kind: ColumnKind; readonly names: readonly string[] | undefined }[] = [];
  readonly commands: readonly CommandPlan[];
  readonly facts: readonly FactPlan[];
  readonly errnos: readonly string[];
  /** The same by their names. */
  readonly command: ReadonlyMap<string, CommandPlan>;
  readonly fact: ReadonlyMap<string, FactPlan>;
  readonly errno: ReadonlyMap<string, number>;
  constructor(shape: Shape) {
    for (const kind of frameKinds) this.columns.push({ kind, names: undefined });
    const fields = (list: readonly ShapeField[]): FieldPlan[] =>
      list.map(([name, kind, names]) => {
        this.columns.push({ kind, names });
        return { name, kind, names, column: this.columns.length - 1 };
      });
    this.commands = shape.commands.map(([type, args, returns], id) => ({
      id,
      type,
      args: fields(args),
      returns: fields(returns),
    }));
    this.facts = shape.facts.map(([type, list], id) => ({ id, type, fields: fields(list) }));
    this.errnos = shape.errnos;
    this.command = new Map(this.commands.map((plan) => [plan.type, plan]));
    this.fact = new Map(this.facts.map((plan) => [plan.type, plan]));
    this.errno = new Map(shape.errnos.map((name, id) => [name, id]));
  }
}
const currentPlan = new Plan(currentShape);
export const planOf = (shape: Shape): Plan => (shape === currentShape ? currentPlan : new Plan(shape));
