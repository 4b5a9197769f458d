import { join } from 'node:path';
import { embed } from './embed.ts';

embed(join(import.meta.dirname, '../../../examples/livecd'), (line) => process.stdout.write(`${line}\n`));
