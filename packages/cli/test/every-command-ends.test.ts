import { cpSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildProgram } from '../src/program.ts';
import { finished, type Run, type Start, start, threads } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

/** A run of each command, in a folder of its own with the images of `beforeAll`. Those that read have work for threads. */
const RUNS: Readonly<Record<string, readonly string[]>> = {
  amend: ['-o', 'lazy_refcounts=on', 'top.qcow2'],
  bitmap: ['--add', 'top.qcow2', 'b1'],
  bitmaps: ['top.qcow2', 'b0'],
  check: ['packed.qcow2'],
  commit: ['-p', 'over.qcow2'],
  compare: ['-p', 'packed.qcow2', 'plain.raw'],
  convert: ['-p', '-O', 'qcow2', 'packed.qcow2', 'out.qcow2'],
  create: ['-f', 'qcow2', 'new.qcow2', '1G'],
  dd: ['-O', 'qcow2', 'if=packed.qcow2', 'of=out.qcow2', 'bs=1M'],
  digest: ['packed.qcow2'],
  discard: ['top.qcow2', '0', '1M'],
  formats: [],
  info: ['--backing-chain', 'top.qcow2'],
  inspect: ['packed.qcow2'],
  map: ['top.qcow2'],
  measure: ['-O', 'qcow2', 'packed.qcow2'],
  probe: ['packed.qcow2'],
  read: ['--raw', 'packed.qcow2', '0', '20M'],
  rebase: ['-b', 'other.qcow2', '-F', 'qcow2', 'top.qcow2'],
  resize: ['top.qcow2', '+1M'],
  snapshot: ['-c', 'now', 'top.qcow2'],
  tree: ['packed.qcow2'],
  write: ['--pattern', '7', '--length', '64k', 'top.qcow2', '5M'],
};

/** A process that has not ended by then hangs: it is killed, and its status is null. */
const PATIENCE = 60_000;
const MIB = 1024 * 1024;

const folder = tempFolder();
const images = join(folder, 'images');
let runs = 0;

beforeAll(async () => {
  mkdirSync(images);
  const at = (name: string): string => join(images, name);
  const bytes = Buffer.alloc(20 * MIB);
  for (let offset = 0; offset < bytes.length; offset += 512) bytes.writeUInt32LE(offset ^ 0x55, offset);
  writeFileSync(at('plain.raw'), bytes);
  for (const args of [
    ['convert', '-c', '-O', 'qcow2', at('plain.raw'), at('packed.qcow2')],
    ['convert', '-c', '-O', 'qcow2', at('plain.raw'), at('other.qcow2')],
    ['create', '-q', '-f', 'qcow2', '-b', 'packed.qcow2', '-F', 'qcow2', at('top.qcow2')],
    ['create', '-q', '-f', 'qcow2', '-b', 'packed.qcow2', '-F', 'qcow2', at('over.qcow2')],
    ['write', '--pattern', '4', '--length', '2M', at('over.qcow2'), '1M'],
    ['bitmap', '--add', at('top.qcow2'), 'b0'],
    ['write', '--pattern', '3', '--length', '2M', at('top.qcow2'), '1M'],
  ]) {
    const { status, stderr } = await runHere(...args);
    expect({ args, status, stderr }).toEqual({ args, status: 0, stderr: '' });
  }
}, 120_000);

/** How a command ended, and the files that it left. */
interface Ended extends Run {
  readonly cwd: string;
  readonly files: Readonly<Record<string, number>>;
}

async function ended(
  command: string,
  { closes, ...options }: Start & { readonly closes?: 'stdout' | 'stderr' } = {},
): Promise<Ended> {
  const cwd = join(folder, `${runs++}`);
  cpSync(images, cwd, { recursive: true });
  const args = [command, ...(RUNS[command] ?? []), ...(closes === undefined ? [] : ['--debug'])];
  const child = start(args, cwd, ['ignore', 'pipe', 'pipe'], options);
  if (closes !== undefined) child[closes]?.destroy();
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  try {
    const run = await finished(child);
    const files = readdirSync(cwd).map((name) => [name, statSync(join(cwd, name)).size]);
    return { ...run, cwd, files: Object.fromEntries(files) };
  } finally {
    clearTimeout(timer);
  }
}

/** Stacks of errors are for `--debug` of errors, and none of these runs has one. */
const STACK = /\n\s+at .*:\d+:\d+/;

/** What a command printed, without its folder, and the space that a copy of a sparse file takes. */
function resultOf({ stdout, cwd }: Pick<Ended, 'stdout' | 'cwd'>): string {
  return stdout
    .toString('latin1')
    .replace(/^disk size: .*$/gm, '')
    .replaceAll(cwd, '');
}

test('every command has a run', async () => {
  const { commands } = await buildProgram([]);
  expect(commands.map((command) => command.name()).sort()).toEqual(Object.keys(RUNS));
});

describe.each(Object.keys(RUNS))('%s ends', (command) => {
  let usual: Ended;

  test('by itself', async () => {
    usual = await ended(command);
    expect({ status: usual.status, stderr: usual.stderr }).toEqual({ status: 0, stderr: '' });
    expect(Object.keys(usual.files).filter((name) => /partial|lock/.test(name))).toEqual([]);
  });

  test.each([
    ['start late', 'slow'],
    ['fail to start', 'fail'],
  ] as const)('where threads %s', async (_, how) => {
    const { status, stdout, stderr, cwd, files } = await ended(command, { nodeOptions: threads(how) });
    expect({ status, stderr, files }).toEqual({ status: 0, stderr: '', files: usual.files });
    expect(resultOf({ stdout, cwd })).toBe(resultOf(usual));
  });

  test('when stdout is closed', async () => {
    const { status, stderr, files } = await ended(command, { closes: 'stdout' });
    expect([0, 141]).toContain(status); // 141 is how a shell tells of SIGPIPE
    expect(stderr).not.toMatch(STACK);
    expect(files).toEqual(usual.files);
  });

  test('when stderr is closed', async () => {
    const { status, stdout, cwd, files } = await ended(command, { closes: 'stderr' });
    expect({ status, files }).toEqual({ status: 0, files: usual.files });
    expect(resultOf({ stdout, cwd })).toBe(resultOf(usual));
  });
});
