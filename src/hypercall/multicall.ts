// multicall (xen/common/multicall.c): several hypercalls in one, each with a result of its own.
import { errnoNumber } from '../../events/errno.ts';
import { HYPERVISOR, multicall_entry } from '../abi/hypercall.ts';
import { type Call, done, goOn, type Result, uint } from './call.ts';

interface Entry {
  readonly op: bigint;
  readonly args: readonly bigint[];
}

/**
 * Performs the entries in order, by `perform`. What an entry returns goes into its `result`, which is all that may be looked at afterwards. Where
 * somebody else is to run, the guest's next call is for the rest; where an entry itself is to go on, it begins with that.
 */
export function performMulticall(call: Call, perform: (call: Call) => Result): Result {
  const nr_calls = uint(call.arg(1));
  const size = BigInt(multicall_entry[call.guest.width].size);
  const list = call.asList();
  for (let i = 0; i < nr_calls; i++) {
    const at = call.arg(0) + BigInt(i) * size;
    const rest = (): Result => goOn(HYPERVISOR.multicall, [at, BigInt(nr_calls - i)]);
    if (i > 0 && call.port.preempt()) return rest();
    const entry = call.guest.read(multicall_entry, at) as Entry | undefined;
    if (entry === undefined) return list.refuse('EFAULT');
    const number = uint(entry.op);
    // One within another is refused, and so is what is no hypercall.
    const inner = list.inner(number, entry.args);
    const result = number === HYPERVISOR.multicall ? inner.refuse('EINVAL') : perform(inner);
    if (!result.done) {
      // The entry has what it goes on with; its place says so to nobody but us.
      const { continuation } = result;
      const args = [...continuation.args, ...entry.args.slice(continuation.args.length)];
      const op = BigInt(continuation.number);
      return call.guest.write(multicall_entry, at, { op, args }) ? rest() : done(errnoNumber('EFAULT'));
    }
    if (!call.guest.write(multicall_entry, at, { result: BigInt(result.rc) })) return done(errnoNumber('EFAULT'));
  }
  return done(0);
}
