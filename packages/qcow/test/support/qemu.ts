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

/** A suite that needs qemu. Without qemu it is skipped, with the reason. */
export function describeWithQemu(name: string, body: () => void): void {
  const title = qemuMissing === undefined ? name : `${name} [skipped: ${qemuMissing}]`;
  describe.skipIf(qemuMissing !== undefined)(title, body);
}

/**
 * LUKS measures key derivation with the CPU clock of a thread. On a fast or busy machine it ticks so slowly that two of
 * three tries may see no progress. Each try takes some milliseconds.
 */
const CLOCK_TRIES = 60;

export async function qemuImg(...args: readonly string[]): Promise<string> {
  for (let left = CLOCK_TRIES; ; left--) {
    try {
      const { stdout } = await run('qemu-img', args, { maxBuffer: 64 * 1024 * 1024 });
      return stdout;
    } catch (error) {
      if (left === 0 || !String(error).includes('Unable to get accurate CPU usage')) throw error;
    }
  }
}

/** Arguments that select an image of this format. */
export function plainSource(image: string, format: string): readonly string[] {
  return ['-f', format, image];
}

/** The same for an encrypted image; `more` are further options of its driver. */
export function encryptedSource(image: string, format: string, secret: string, more = ''): readonly string[] {
  const options = `driver=${format},encrypt.key-secret=key,file.filename=${image}${more}`;
  return [...secretObject(secret), '--image-opts', options];
}

/** qemu's object that holds a passphrase. */
export function secretObject(secret: string, id = 'key'): readonly string[] {
  return ['--object', `secret,id=${id},data=${secret}`];
}

/** Runs all commands in one process. A failing command is an error. */
export async function qemuIo(source: readonly string[], commands: readonly string[]): Promise<void> {
  if (commands.length === 0) return;
  const flags = commands.flatMap((command) => ['-c', command]);
  const { stdout } = await run('qemu-io', ['-t', 'unsafe', '-d', 'unmap', ...flags, ...source]);
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

/** The guest bytes of any source, by `qemu-img convert`. */
export async function convertSource(source: readonly string[]): Promise<Uint8Array> {
  return await convert(...source);
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

/** What `qemu-img check --output json` counts, with the zeroes that it leaves out. */
export interface QemuCheck {
  readonly corruptions: number;
  readonly leaks: number;
  readonly errors: number;
  readonly imageEndOffset: number;
  readonly totalClusters: number;
  readonly allocatedClusters: number;
  readonly fragmentedClusters: number;
  readonly compressedClusters: number;
}

/** Runs `qemu-img check`, whose exit status is not 0 where it finds something. */
export async function checkWithQemu(...image: readonly string[]): Promise<QemuCheck> {
  const checking = run('qemu-img', ['check', '--output', 'json', ...image], { maxBuffer: 2 ** 30 });
  const { stdout } = await checking.catch((error: unknown) => error as { readonly stdout: string });
  const told = JSON.parse(stdout) as Readonly<Record<string, number>>;
  return {
    corruptions: told.corruptions ?? 0,
    leaks: told.leaks ?? 0,
    errors: told['check-errors'] ?? 0,
    imageEndOffset: told['image-end-offset'] ?? 0,
    totalClusters: told['total-clusters'] ?? 0,
    allocatedClusters: told['allocated-clusters'] ?? 0,
    fragmentedClusters: told['fragmented-clusters'] ?? 0,
    compressedClusters: told['compressed-clusters'] ?? 0,
  };
}
