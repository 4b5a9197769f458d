// The guest boundary: what a guest asks for in registers and bytes and that comes to nothing before any operation is asked.
import { type Errno, errnos } from './errno.ts';
import { type Field, int, operation } from './schema.ts';

const errno: Field<Errno> = { kind: 'name', names: errnos };

export const operations = {
  /**
   * A call by a number, or sub-operation `cmd`, that there is not, or with arguments that point nowhere or have another version: it was
   * refused with `errno`, and changes nothing. `cmd` is -1 where the call has none.
   */
  'hypercall.note_refused': operation({ domid: int, vcpu: int, number: int, cmd: int, errno }),
  /** sched_op(shutdown) with a reason that has no name: `code` is any byte. */
  'sched.shutdown_with': operation({ domid: int, code: int }),
} as const;
