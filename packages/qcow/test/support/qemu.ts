import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe } from 'vitest';

const run = promisify(execFile);

/** Why tests against qemu cannot run here, or `undefined`. */
const qemuMissing: string | undefined = ['qemu-img', 'qemu-io'].some(
  (tool) => spawnSync(tool, ['--version']).status !== 0,
)
  ? 'qemu-img and qemu-io are not installed (Debian: qemu-utils)'
  : undefined;

if (qemuMissing !== undefined) console.warn(`WARNING: ${qemuMissing}: the comparison with qemu does NOT run`);

/** A suite that needs qemu: without it, it is skipped and says why. */
export function describeWithQemu(name: string, body: () => void): void {
  const title = qemuMissing === undefined ? name : `${name} [skipped: ${qemuMissing}]`;
  describe.skipIf(qemuMissing !== undefined)(title, body);
}

export async function qemuImg(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('qemu-img', args, { maxBuffer: 64 * 1024 * 1024 });
  return stdout;
}

/** Runs all commands in one process. A failing command is an error. */
export async function qemuIo(image: string, format: string, commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const flags = commands.flatMap((command) => ['-c', command]);
  const { stdout } = await run('qemu-io', ['-t', 'unsafe', '-d', 'unmap', '-f', format, ...flags, image]);
  if (/failed|invalid|error/i.test(stdout)) throw new Error(`qemu-io: ${stdout}`);
}

/** The guest bytes of an image, by `qemu-img convert`. */
export async function convertWithQemu(image: string, format: string): Promise<Uint8Array> {
  return await convert('-f', format, image);
}

/** A part of a disk that is too large to convert: the same, through a window. */
export async function convertRangeWithQemu(
  image: string,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const window = `driver=raw,offset=${offset},size=${length}`;
  return await convert('--image-opts', `${window},file.driver=qcow2,file.file.filename=${image}`);
}

async function convert(...source: readonly string[]): Promise<Uint8Array> {
  const folder = await mkdtemp(join(tmpdir(), 'diskstack-convert-'));
  try {
    const target = join(folder, 'raw');
    await qemuImg('convert', '-O', 'raw', ...source, target);
    return await readFile(target);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** An extent as `qemu-img map --output json` prints it. */
export interface QemuExtent {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  readonly offset?: number;
}

export async function mapWithQemu(image: string, format: string): Promise<readonly QemuExtent[]> {
  return JSON.parse(await qemuImg('map', '--output', 'json', '-f', format, image)) as QemuExtent[];
}
