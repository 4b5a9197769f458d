import { PAGE_SIZE } from '../../../events/units.ts';
import type { ControlFact } from '../../../events/vocabulary.ts';
import { HYPERVISOR } from '../../abi/hypercall.ts';
import type { Frames } from '../../memory/memory.ts';
import type { Xen } from '../xen.ts';

/** What the toolstack has Xen write into a domain's pages. Live and in re-enactment only, before `evolve`. */
export function writeGuest(xen: Xen, memory: Frames, event: ControlFact): void {
  if (event.type === 'gdbsx.memory_written') memory.write(event.mfn, event.offset, event.data);
  else if (event.type === 'domain.hypercall_page_written')
    memory.write(event.mfn, 0, hypercallPage(xen.domain.of(0)!.hvm.at(event.domid) === 1));
}

const ENTRY_SIZE = 32;

/** An entry of 32 bytes for each hypercall: the number into EAX, and the way into Xen. */
export function hypercallPage(hvm: boolean): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  for (let number = 0; number < PAGE_SIZE / ENTRY_SIZE; number++) {
    const isIret = number === HYPERVISOR.iret;
    const entry = hvm ? (isIret ? ud2 : vmmcall(number)) : isIret ? syscallIret(number) : syscall(number);
    page.set(entry, number * ENTRY_SIZE);
  }
  return page;
}

const movEax = (number: number): number[] => [0xb8, number & 0xff, 0, 0, 0];
const PUSH_RCX_R11 = [0x51, 0x41, 0x53];
const POP_R11_RCX_RET = [0x41, 0x5b, 0x59, 0xc3];
const SYSCALL = [0x0f, 0x05];
const syscall = (number: number): number[] => [...PUSH_RCX_R11, ...movEax(number), ...SYSCALL, ...POP_R11_RCX_RET];
/** iret does not return, and finds RAX on the stack. */
const syscallIret = (number: number): number[] => [...PUSH_RCX_R11, 0x50, ...movEax(number), ...SYSCALL];
const vmmcall = (number: number): number[] => [...movEax(number), 0x0f, 0x01, 0xd9, 0xc3];
const ud2 = [0x0f, 0x0b];
