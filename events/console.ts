// The consoles of domains as xenconsoled in dom0 sees them, and the operator's keyboard.
import { int, operation, text } from './schema.ts';

export const operations = {
  /** xenconsoled opens the ring of a domain. */
  'console.open': operation({ domid: int, dom: int, mfn: int, local_port: int }),
  'console.close': operation({ domid: int, dom: int }),
  /** xenconsoled has taken bytes from a domain's ring. */
  'console.note_output': operation({ domid: int, dom: int, text }),
  /** xenconsoled has put so many bytes of what was typed into the domain's ring. */
  'console.note_typed': operation({ domid: int, dom: int, count: int }),
  /** An input: somebody types at a domain's console. */
  'console.input': operation({ dom: int, text }),
} as const;

export const facts = {
  'console.opened': { dom: int, mfn: int, local_port: int },
  'console.closed': { dom: int },
  'console.output': { dom: int, text },
  'console.input_queued': { dom: int, text },
  'console.input_delivered': { dom: int, count: int },
} as const;
