import { createHash } from 'node:crypto';
import { promises as fs } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { finished, type Run, type Start, start, threads } from './support/run-cli.ts';
import { runHere } from './support/run-here.ts';
import { tempFolder } from './support/temp-folder.ts';

// Threads help once 16 MiB have been decompressed. A program that finishes at that moment must still end.

const MIB = 1024 * 1024;
const SIZES = [1, 12, 16, 17, 20, 28, 40, 64];
const CODECS = ['zlib', 'zstd'] as const;
/** A process that has not ended by then hangs: it is killed, and its status is null. */
const PATIENCE = 30_000;

const folder = tempFolder();
const digests = new Map<number, string>();
const sums = new Map<number, number>();

beforeAll(async () => {
  for (const size of SIZES) {
    const bytes = contentOf(size);
    digests.set(size, createHash('sha256').update(bytes).digest('hex'));
    sums.set(size, sumOf(bytes));
    const raw = join(folder, `${size}.raw`);
    await fs.writeFile(raw, bytes);
    for (const codec of CODECS) {
      const { status, stderr } = await runHere(
        ...['convert', '-c', '-O', 'qcow2', '-o', `compression_type=${codec}`],
        ...[raw, imageOf(size, codec)],
      );
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  }
}, 120_000);

function contentOf(mib: number): Buffer {
  const bytes = Buffer.alloc(mib * MIB);
  let state = mib;
  for (let at = 0; at < bytes.length; at += 64) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    bytes.fill(state & 0xff, at, at + 48);
    bytes.writeUInt32LE(state, at + 48);
  }
  return bytes;
}

/** Of every 64th byte: reading is what is tested. */
function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 64) sum += bytes[at] ?? 0;
  return sum;
}

function imageOf(size: number, codec: string): string {
  return join(folder, `${size}-${codec}.qcow2`);
}

async function ended(args: readonly string[], options: Start = {}): Promise<Run> {
  const child = start(args, folder, ['ignore', 'pipe', 'pipe'], options);
  const timer = setTimeout(() => child.kill('SIGKILL'), PATIENCE);
  try {
    return await finished(child);
  } finally {
    clearTimeout(timer);
  }
}

const program = new URL('./support/programs/read-all.ts', import.meta.url).pathname;
describe.each(CODECS)('%s', (codec) => {
  test.each(SIZES)('the command ends after %i MiB', async (size) => {
    const { status, stdout } = await ended(['digest', imageOf(size, codec)]);
    expect(status).toBe(0);
    expect(stdout.toString().split(' ')[0]).toBe(digests.get(size));
  });

  test.each(SIZES)('a program on the library ends after %i MiB', async (size) => {
    const { status, stdout } = await ended([imageOf(size, codec)], { program });
    expect(status).toBe(0);
    expect(Number(stdout.toString())).toBe(sums.get(size));
  });

  test.for([
    ['start late', 'slow'],
    ['fail to start', 'fail'],
    ['end by themselves', 'exit'],
  ] as const)('a process ends whose threads %s', async ([, how]) => {
    for (const size of [17, 40]) {
      const options = { nodeOptions: threads(how) };
      const command = await ended(['digest', imageOf(size, codec)], options);
      expect([command.status, command.stdout.toString().split(' ')[0]]).toEqual([0, digests.get(size)]);
      const library = await ended([imageOf(size, codec)], { ...options, program });
      expect([library.status, Number(library.stdout.toString())]).toEqual([0, sums.get(size)]);
    }
  });
});
