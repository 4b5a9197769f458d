// The package as another project gets it: packed, installed, imported, type-checked, and bundled for a browser.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { beforeAll, describe, expect, test } from 'vitest';
import { livecd, root, scratchDirectory } from './program.ts';

const directory = scratchDirectory();
const project = join(directory, 'project');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));

const execute = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: project, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
const inProject = (name: string, text: string): string => {
  writeFileSync(join(project, name), text);
  return name;
};
const nameOf = (entry: string): string => join(manifest.name, entry);

beforeAll(() => {
  mkdirSync(project);
  // What is built is packed as it is: `npm test` has built it, and prepare would do so again.
  execFileSync('npm', ['pack', '--ignore-scripts', '--pack-destination', directory], { cwd: root, stdio: 'pipe' });
  const tarball = readdirSync(directory).find((name) => name.endsWith('.tgz'))!;
  // The peers at the versions that are installed here, so that the cache has them.
  const peers = Object.keys(manifest.peerDependencies).map(
    (name) => `${name}@${JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')).version}`,
  );
  inProject('package.json', JSON.stringify({ name: 'project', private: true, type: 'module' }));
  execute('npm', 'install', '--prefer-offline', '--no-audit', '--no-fund', join(directory, tarball), ...peers);
}, 300_000);

describe('installed in another project', () => {
  test.each(entries)('%s is there', (entry) => {
    const program = inProject('import.js', `import * as all from '${nameOf(entry)}';\nconsole.log(Object.keys(all).length);\n`);
    expect(Number(execute('node', program))).toBeGreaterThan(0);
  });
  test('only what an embedder needs is in it', () => {
    const installed = join(project, 'node_modules', manifest.name);
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' });
    expect(files.filter((file) => /\.test\.|tsbuildinfo|^dist\/(test|bench|scripts|examples)\//.test(file))).toEqual([]);
    for (const file of ['README.md', 'LICENSE', 'CHANGELOG.md', 'dist/index.d.ts', 'examples/livecd/livecd.yaml'])
      expect(files).toContain(file);
  });
  test('a program of five lines', () => {
    const program = inProject(
      'five.js',
      `import { createHost, SECOND } from '${manifest.name}';
const host = createHost({ seed: 42 });
host.boot();
host.run(5 * SECOND);
console.log(host.xl(['list']).stdout);
`,
    );
    expect(execute('node', program)).toMatch(/^Name .*\nDomain-0 /);
  });
  test('its types, under the strictest settings', () => {
    inProject(
      'typed.ts',
      `import { createHost, type DomainRow, type Outcome } from '${manifest.name}';
import { decide, evolve } from '${manifest.name}/core';
import { loadScenario } from '${manifest.name}/node';
const host = createHost();
const outcome: Outcome = host.boot();
const rows: DomainRow[] = Object.values(host.domains.state.domains);
export const facts: readonly unknown[] = [outcome.ok ? outcome.value : outcome.errno, rows, decide, evolve, loadScenario];
// @ts-expect-error a command has the fields of its operation
host.command({ type: 'evtchn.close', domid: 0 });
`,
    );
    const compilerOptions = { module: 'NodeNext', target: 'ES2023', strict: true, noEmit: true, skipLibCheck: true, types: [] };
    inProject('tsconfig.json', JSON.stringify({ compilerOptions, files: ['typed.ts'] }));
    expect(execute('node', join(root, 'node_modules/typescript/bin/tsc'), '-p', '.')).toBe('');
  });
  test('the program runs', () => {
    const bin = join(project, 'node_modules/.bin/xenolog');
    expect(JSON.parse(execute(bin, 'run', livecd, '--until', '2s', '--json'))).toMatchObject({ stopped: false });
  });
});

describe('in a browser', () => {
  const browserSafe = entries.filter((entry) => entry !== './node');
  test.each(browserSafe)('%s needs nothing of Node', async (entry) => {
    const program = inProject('browser.js', `export * from '${nameOf(entry)}';\n`);
    const { outputFiles, warnings } = await build({
      entryPoints: [join(project, program)],
      absWorkingDir: project,
      bundle: true,
      platform: 'browser',
      format: 'esm',
      write: false,
      logLevel: 'silent',
    });
    expect(warnings).toEqual([]);
    expect(outputFiles[0]!.text).not.toMatch(/["']node:/);
  });
  test('what a program does not use, it does not get', async () => {
    inProject('little.js', `import { crc32 } from '${manifest.name}/events';\nexport const crc = crc32;\n`);
    const { outputFiles } = await build({
      entryPoints: [join(project, 'little.js')],
      absWorkingDir: project,
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
    });
    expect(outputFiles[0]!.text.length).toBeLessThan(20_000);
  });
});
