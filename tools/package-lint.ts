// Checks every package as npm would publish it: publint checks package.json, attw checks the types.
import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { promisify, styleText } from 'node:util';

const run = promisify(execFile);
const root = new URL('../packages/', import.meta.url);

interface Manifest {
  readonly private?: boolean;
  readonly exports?: Readonly<Record<string, unknown>>;
}

async function lint(name: string): Promise<boolean> {
  const cwd = new URL(`${name}/`, root);
  const manifest = JSON.parse(await readFile(new URL('package.json', cwd), 'utf8')) as Manifest;
  if (manifest.private) return true;
  const commands = [['publint', '--strict', '--pack', 'npm']];
  // A package with only a command has no types to check.
  if (Object.keys(manifest.exports ?? {}).some((path) => path !== './package.json')) {
    commands.push(['attw', '--pack', '.', '--profile', 'esm-only', '--no-emoji', '--format', 'ascii']);
  }
  let good = true;
  for (const [command = '', ...args] of commands) {
    try {
      await run(command, args, { cwd });
      console.log(`${styleText('green', 'ok')}    ${name}: ${command}`);
    } catch (error) {
      good = false;
      const { stdout, stderr, message } = error as Error & { stdout?: string; stderr?: string };
      console.error(`${styleText('red', 'wrong')} ${name}: ${command}\n${stdout || stderr || message}`);
    }
  }
  return good;
}

const entries = await readdir(root, { withFileTypes: true });
const packages = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
const results = await Promise.all(packages.map(lint));
if (results.includes(false)) process.exitCode = 1;
