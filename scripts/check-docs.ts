// Judges the code blocks of README.md and docs/*.md: node dist/scripts/check-docs.js [--write]
//
//   console   a session: the lines after "$ " are run, in order, in one directory for each document; the rest is their output.
//             "..." alone on a line stands for any lines. What drifts with every change of the model is not compared: numbers of
//             steps, times, counts. --write puts the real output in, where a command's output has no "...".
//   ts, yaml, cfg   lines of a file under examples/, one after the other
//   sh, text  not judged: installations, excerpts, drawings
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';

const root = join(import.meta.dirname, '../..');
const write = process.argv.includes('--write');
const complaints: string[] = [];

interface Block {
  readonly language: string;
  /** Of its first line, counted from 1. */
  readonly line: number;
  lines: string[];
}

/** A document as pieces: text, and code blocks without their fences. */
function blocksOf(text: string): Block[] {
  const blocks: Block[] = [];
  let open: Block | undefined;
  for (const [i, line] of text.split('\n').entries()) {
    const fence = /^```(.*)$/.exec(line);
    if (!fence) open?.lines.push(line);
    else if (open) {
      blocks.push(open);
      open = undefined;
    } else open = { language: fence[1]!.trim(), line: i + 2, lines: [] };
  }
  return blocks;
}

const examples: string[] = [];
function collect(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (statSync(path).isDirectory()) collect(path);
    else if (/\.(ts|yaml|cfg)$/.test(name)) examples.push(readFileSync(path, 'utf8'));
  }
}
collect(join(root, 'examples'));

function checkExcerpt(block: Block, complain: (message: string) => void): void {
  const text = `\n${flush(block.lines.join('\n'))}\n`;
  if (!examples.some((example) => `\n${flush(example)}`.includes(text)))
    complain('these are not the lines of any file under examples/');
}

/** Indentation depends on what is around an excerpt. */
const flush = (text: string): string => text.replace(/^ +/gm, '');

interface Exchange {
  readonly command: string;
  readonly output: readonly string[];
}
function exchangesOf(lines: readonly string[]): Exchange[] {
  const exchanges: { command: string; output: string[] }[] = [];
  for (const line of lines)
    if (line.startsWith('$ ')) exchanges.push({ command: line.slice(2), output: [] });
    else exchanges.at(-1)?.output.push(line);
  return exchanges;
}

const PRELUDE = `npx() { shift; node "${join(root, 'dist/xenolog.js')}" "$@"; }; `;
function checkSession(block: Block, directory: string, complain: (message: string) => void): void {
  const lines: string[] = [];
  let last = '';
  for (const { command, output } of exchangesOf(block.lines)) {
    // A question about the step that was printed last.
    const asked = last === '' ? command : command.replace(/(why \S+ )\d+$/, `$1${last}`);
    const { stdout } = spawnSync('bash', ['-c', `{ ${PRELUDE}${asked}\n} 2>&1`], { cwd: directory, encoding: 'utf8' });
    const got = trimmed(stdout.split('\n'));
    last = /^#(\d+) /.exec(got[0] ?? '')?.[1] ?? last;
    const whole = output.includes('...');
    const same = new RegExp(`^${trimmed(output).map(pattern).join('\n')}$`).test(got.map(steady).join('\n'));
    lines.push(`$ ${write ? asked : command}`, ...(write && !whole ? got : output));
    if (!same && (whole || !write)) complain(`"${command}" says something else:\n${got.slice(0, 40).join('\n')}`);
  }
  block.lines = lines;
}
const trimmed = (lines: readonly string[]): string[] =>
  lines
    .join('\n')
    .replace(/[ \t]+$/gm, '')
    .trimEnd()
    .split('\n');

/** Without what drifts: numbers of steps and ports, times and counts. */
const steady = (line: string): string =>
  line
    .replace(/("result":")\d+/g, '$1N')
    .replace(/(#|step |"(port|local_port|id|work|job|seq)":)\d+/g, '$1N')
    .replace(/\b\d+(\.\d+)?(s\b| steps\b| bytes\b|$)/g, 'N$2');

/** Three dots alone stand for any lines. */
const pattern = (line: string): string => (line === '...' ? '[\\s\\S]*?' : steady(line).replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));

function checkDocument(path: string): void {
  const text = readFileSync(path, 'utf8');
  const directory = mkdtempSync(join(tmpdir(), 'xenolog-docs-'));
  symlinkSync(join(root, 'examples'), join(directory, 'examples'));
  const blocks = blocksOf(text);
  for (const block of blocks) {
    const complain = (message: string): void => void complaints.push(`${relative(root, path)}:${block.line}: ${message}`);
    if (block.language === 'console') checkSession(block, directory, complain);
    else if (['ts', 'yaml', 'cfg'].includes(block.language)) checkExcerpt(block, complain);
    else if (!['sh', 'text'].includes(block.language))
      complain(`a block is console, ts, yaml, cfg, sh or text, not "${block.language}"`);
  }
  for (const [, target] of text.matchAll(/\]\((?!https?:|#)([^)#]+)[^)]*\)/g))
    if (!existsSync(join(path, '..', target!))) complaints.push(`${relative(root, path)}: there is no ${target} to link to`);
  if (write) writeFileSync(path, replaceBlocks(text, blocks));
  rmSync(directory, { recursive: true });
}

function replaceBlocks(text: string, blocks: readonly Block[]): string {
  let next = 0;
  return text.replace(
    /^```(.*)\n([\s\S]*?)^```$/gm,
    (_, language: string) => `\`\`\`${language}\n${blocks[next++]!.lines.map((line) => `${line}\n`).join('')}\`\`\``,
  );
}

const documents = [
  join(root, 'README.md'),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(root, 'docs', name)),
];
for (const path of documents) checkDocument(path);
for (const complaint of complaints) process.stderr.write(`${complaint}\n`);
process.stdout.write(`${documents.length} documents, ${complaints.length} complaints\n`);
process.exitCode = complaints.length > 0 ? 1 : 0;
