import { guest } from './guest.ts';

guest((line) => process.stdout.write(`${line}\n`));
