import { beginXl, type XlInput, xlPlans } from '../../src/toolstack/xl/begin.ts';
import { planMachine } from './plan-machine.ts';

/** An `xl` command at work (a party, `xl.JOB`): a state for each subcommand, and in it one for each phase. */
export const xl = planMachine<XlInput>('xl', xlPlans, beginXl);
