// The program as one file, for whoever starts it: to load several hundred takes Node most of a second on a small machine.
import { join } from 'node:path';
import { buildSync } from 'esbuild';

/** Makes dist/xenolog.js of what is built, in the directory of the project. Packages stay outside. */
export default function bundle(): void {
  const dist = join(process.cwd(), 'dist');
  buildSync({
    entryPoints: [join(dist, 'adapters/cli/main.js')],
    outfile: join(dist, 'xenolog.js'),
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });
}

if (process.argv[1] === import.meta.filename) bundle();
