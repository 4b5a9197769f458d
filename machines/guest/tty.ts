import { assign, emit, setup } from 'xstate';
import type { Command, FactOf } from '../../events/vocabulary.ts';
import { format, type Plan, plan, type Session, type Todo } from './shell.ts';

interface Tty extends Session {
  readonly domid: number;
  readonly id: string;
  /** What was typed and has not been a whole line yet; and whole lines that wait for the program in front. */
  readonly line: string;
  readonly lines: readonly string[];
  readonly issue: string;
  readonly name: string;
  readonly password: string;
  readonly shadow: string;
  /** The command under way: what is left of it, what its pieces have answered. */
  readonly todo: readonly Todo[];
  readonly done: readonly string[];
  readonly args: readonly string[];
  readonly plan: Plan;
}

const nothing: Plan = { do: 'print', text: '' };
const prompt = (c: Tty): string => `${c.user}@${c.hostname}:~$ `;
/** Only what a terminal of that time would show of a key. */
const visible = (text: string): string => text.replaceAll('\r', '\n');

/** getty, login and a shell on hvc0 (a party of its guest). */
export const tty = setup({
  types: {
    input: {} as { domid: number; name: string; args: readonly string[] },
    context: {} as Tty,
    events: {} as FactOf<'hvc.input_received' | 'guest.work_finished'>,
    emitted: {} as Command,
  },
  guards: {
    hasLine: ({ context: c }) => c.lines.length > 0,
    isLoggedIn: ({ context: c }) =>
      c.name !== '' && c.shadow.split('\n').some((entry) => entry.startsWith(`${c.name}:{plain}${c.password}:`)),
    isPrinted: ({ context: c }) => c.plan.do === 'print',
    leaves: ({ context: c }) => c.plan.do === 'leave',
    stops: ({ context: c }) => c.plan.do === 'stop',
    nothingLeft: ({ context: c }) => c.todo.length === 0,
  },
  actions: {
    print: emit(({ context: c }, { text }: { text: string }) => ({ type: 'hvc.write', domid: c.domid, text })),
    work: emit(({ context: c }, { kind, args }: { kind: FactOf<'guest.work_started'>['kind']; args: readonly string[] }) => ({
      type: 'guest.start_work',
      domid: c.domid,
      issuer: c.id,
      kind,
      args,
    })),
    echo: emit(({ context: c, event }) => ({
      type: 'hvc.write',
      domid: c.domid,
      text: event.type === 'hvc.input_received' ? visible(event.text) : '',
    })),
    echoNewline: emit(({ context: c, event }) => ({
      type: 'hvc.write',
      domid: c.domid,
      text: event.type === 'hvc.input_received' && /[\r\n]/.test(event.text) ? '\n' : '',
    })),
    typed: assign(({ context: c, event }) => {
      if (event.type !== 'hvc.input_received') return {};
      const parts = (c.line + visible(event.text)).split('\n');
      return { line: parts[parts.length - 1]!, lines: [...c.lines, ...parts.slice(0, -1)] };
    }),
    takeName: assign(({ context: c }) => ({ name: (c.lines[0] ?? '').trim(), lines: c.lines.slice(1) })),
    takePassword: assign(({ context: c }) => ({ password: c.lines[0] ?? '', lines: c.lines.slice(1) })),
    keepIssue: assign(({ event }) => (event.type === 'guest.work_finished' && event.errno === '' ? { issue: event.result } : {})),
    keepShadow: assign(({ event }) =>
      event.type === 'guest.work_finished' ? { shadow: event.errno === '' ? event.result : 'livexen:{plain}live:' } : {},
    ),
    logIn: assign(({ context: c }) => ({ user: c.name, password: '' })),
    logOut: assign({ user: '', name: '', password: '', lines: [] }),
    interpret: assign(({ context: c }) => {
      const made = plan(c.lines[0] ?? '', c);
      const work = made.do === 'work' ? { todo: made.todo, args: made.args } : { todo: [], args: [] };
      return { plan: made, lines: c.lines.slice(1), done: [], ...work };
    }),
    printPlan: emit(({ context: c }) => ({
      type: 'hvc.write',
      domid: c.domid,
      text: c.plan.do === 'print' || c.plan.do === 'work' ? c.plan.text : '',
    })),
    startPiece: emit(({ context: c }) => ({
      type: 'guest.start_work',
      domid: c.domid,
      issuer: c.id,
      kind: c.todo[0]!.kind,
      args: c.todo[0]!.args,
    })),
    printPiece: emit(({ context: c, event }) => ({
      type: 'hvc.write',
      domid: c.domid,
      text: event.type === 'guest.work_finished' ? format(c.todo[0]!, event.errno, event.result, c.done, c.args) : '',
    })),
    keepPiece: assign(({ context: c, event }) =>
      event.type === 'guest.work_finished' ? { todo: c.todo.slice(1), done: [...c.done, event.result] } : {},
    ),
    stop: emit(({ context: c }) => ({
      type: 'sched.shutdown',
      domid: c.domid,
      reason: c.plan.do === 'stop' ? c.plan.reason : 'poweroff',
    })),
  },
}).createMachine({
  id: 'tty',
  context: ({ input }) => ({
    domid: input.domid,
    id: `d${input.domid}.${input.name}`,
    hostname: input.args[0] ?? 'localhost',
    root: input.args[1] ?? '-1',
    user: '',
    line: '',
    lines: [],
    issue: '',
    name: '',
    password: '',
    shadow: '',
    todo: [],
    done: [],
    args: [],
    plan: nothing,
  }),
  initial: 'starting',
  states: {
    starting: {
      entry: { type: 'work', params: ({ context }) => ({ kind: 'read_file', args: [context.root, '/etc/issue'] }) },
      on: {
        'guest.work_finished': { target: 'readingAccounts', actions: 'keepIssue' },
        'hvc.input_received': { actions: 'typed' },
      },
    },
    readingAccounts: {
      entry: { type: 'work', params: ({ context }) => ({ kind: 'read_file', args: [context.root, '/etc/shadow'] }) },
      on: {
        'guest.work_finished': { target: 'login', actions: 'keepShadow' },
        'hvc.input_received': { actions: 'typed' },
      },
    },
    login: {
      entry: {
        type: 'print',
        params: ({ context: c }) => ({
          text: `\n${c.issue.replaceAll('\\n', c.hostname).replaceAll('\\l', 'hvc0').trimEnd()}\n\n${c.hostname} login: `,
        }),
      },
      on: { 'hvc.input_received': { actions: ['echo', 'typed'] } },
      always: { guard: 'hasLine', target: 'password', actions: 'takeName' },
    },
    password: {
      entry: { type: 'print', params: { text: 'Password: ' } },
      // What is typed here is not shown; only the end of the line is.
      on: { 'hvc.input_received': { actions: ['echoNewline', 'typed'] } },
      always: { guard: 'hasLine', target: 'checking', actions: 'takePassword' },
    },
    checking: {
      always: [
        { guard: 'isLoggedIn', target: 'shell', actions: 'logIn' },
        { target: 'login', actions: [{ type: 'print', params: { text: '\nLogin incorrect\n' } }, 'logOut'] },
      ],
    },
    shell: {
      id: 'shell',
      initial: 'prompting',
      on: { 'hvc.input_received': { actions: ['echo', 'typed'] } },
      states: {
        prompting: {
          entry: { type: 'print', params: ({ context }) => ({ text: prompt(context) }) },
          always: 'reading',
        },
        reading: { always: { guard: 'hasLine', target: 'executing', actions: 'interpret' } },
        executing: {
          entry: 'printPlan',
          always: [
            { guard: 'isPrinted', target: 'prompting' },
            { guard: 'leaves', target: '#tty.login', actions: 'logOut' },
            { guard: 'stops', target: '#tty.stopping' },
            { target: 'working' },
          ],
        },
        working: {
          always: { guard: 'nothingLeft', target: 'prompting' },
          initial: 'next',
          states: {
            next: {
              entry: 'startPiece',
              on: { 'guest.work_finished': { target: 'printed', actions: 'printPiece' } },
            },
            printed: { entry: 'keepPiece', always: [{ guard: 'nothingLeft', target: '#shell.prompting' }, { target: 'next' }] },
          },
        },
      },
    },
    stopping: {
      entry: [
        { type: 'print', params: { text: '\nThe system is going down for system halt NOW!\nPower down.\n' } },
        { type: 'work', params: { kind: 'sleep', args: ['200000000'] } },
      ],
      on: { 'guest.work_finished': { actions: 'stop' } },
    },
  },
});
