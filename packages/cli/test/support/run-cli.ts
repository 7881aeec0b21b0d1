import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** How a run ended. */
export interface Run {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** How a child process is started, where it is not as usual. */
export interface Start {
  /** Options of Node for the process and its threads: `NODE_OPTIONS`. */
  readonly nodeOptions?: string;
  /** A program in place of the command line. */
  readonly program?: string;
}

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const cache = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url));

/** `nodeOptions` for a process whose threads start late, fail to start, or end by themselves. */
export function threads(how: 'slow' | 'fail' | 'exit'): string {
  return `--import ${new URL(`./programs/threads.mjs?how=${how}`, import.meta.url).href}`;
}

/** Starts the command line from source, in a process of its own. */
export function start(
  args: readonly string[],
  cwd?: string,
  stdio: StdioOptions = ['ignore', 'pipe', 'pipe'],
  { nodeOptions = '', program = main }: Start = {},
): ChildProcess {
  const flags = ['--conditions=@diskstack/source', '--disable-warning=ExperimentalWarning'];
  if (!process.features.typescript) flags.push('--experimental-strip-types');
  return spawn(process.execPath, [...flags, program, ...args], {
    cwd,
    stdio,
    // Compiled once for all runs: it halves the time of each.
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: cache,
      NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ''} ${nodeOptions}`,
      NO_COLOR: '1',
    },
  });
}

/** What a started run says and how it ends. */
export async function finished(child: ChildProcess): Promise<Run> {
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk));
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { status, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
}

/** Runs `diskstack ARGS` in a folder. */
export function diskstack(cwd: string, ...args: string[]): Promise<Run> {
  return finished(start(args, cwd));
}

/** The stdout of a run that has to be good. */
export async function output(cwd: string, ...args: string[]): Promise<string> {
  const { status, stdout, stderr } = await diskstack(cwd, ...args);
  if (status !== 0 || stderr !== '')
    throw new Error(`diskstack ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.toString();
}
