import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { can, createDisks } from '@diskstack/core';
import { transferBuffer } from '@diskstack/core/format';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const MIB = 1024 * 1024;
const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()], codecs: zlibCodecs });
const command = new URL('../../packages/cli/bin/diskstack.js', import.meta.url).pathname;

/** A piece of work that both programs do. Each answers what it took, in `unit`. */
export interface Work {
  readonly name: string;
  readonly unit: 'ms' | 'MiB';
  /** Images that it says something about: all of them without it. */
  readonly images?: (name: string) => boolean;
  ours(image: string): Promise<number>;
  qemu(image: string): Promise<number>;
}

/** Bytes read of a large disk: all of a small one. */
const MAX_READ = 1024 * MIB;
const RANDOM_READS = 10_000;
/** A stride that visits 4 KiB blocks all over the disk: `qemu-img bench` knows steps only. */
const STRIDE = 4096 * 7919;
/** Reads of 4 KiB in a row: 64 MiB, which qemu needs seconds for where clusters are compressed. */
const SMALL_READS = 16_384;
const OPENINGS = 500;

/** `-O qcow2` in its kinds. */
const CONVERSIONS = [[], ['-c'], ['-c', '-o', 'compression_type=zstd']] as const;

const isDense = (name: string): boolean => !name.startsWith('sparse');

export const works: readonly Work[] = [
  {
    name: 'sequential read, 2 MiB each',
    unit: 'ms',
    images: isDense,
    ours: async (image) => reading(image, 2 * MIB, 2 * MIB, await readsFor(image, 2 * MIB)),
    qemu: async (image) => qemuBench(image, 2 * MIB, 2 * MIB, await readsFor(image, 2 * MIB)),
  },
  {
    name: 'sequential read, 4 KiB each',
    unit: 'ms',
    images: isDense,
    ours: (image) => reading(image, 4096, 4096, SMALL_READS),
    qemu: async (image) => qemuBench(image, 4096, 4096, SMALL_READS),
  },
  {
    name: 'random read, 4 KiB each',
    unit: 'ms',
    ours: (image) => reading(image, 4096, STRIDE, RANDOM_READS),
    qemu: async (image) => qemuBench(image, 4096, STRIDE, RANDOM_READS),
  },
  {
    name: 'convert to raw',
    unit: 'ms',
    ours: (image) =>
      wallTime(process.execPath, [command, 'convert', '-O', 'raw', image, `${image}.ours`], `${image}.ours`),
    qemu: (image) => wallTime('qemu-img', ['convert', '-O', 'raw', image, `${image}.qemu`], `${image}.qemu`),
  },
  {
    name: 'peak memory of convert',
    unit: 'MiB',
    ours: (image) =>
      peakMemory(
        [process.execPath, command, 'convert', '-O', 'raw', image, `${image}.ours`],
        `${image}.ours`,
      ),
    qemu: (image) =>
      peakMemory(['qemu-img', 'convert', '-O', 'raw', image, `${image}.qemu`], `${image}.qemu`),
  },
  {
    name: `open and read a sector, ${OPENINGS} times, against one start of qemu-img`,
    unit: 'ms',
    ours: opening,
    qemu: (image) => wallTime('qemu-img', ['info', '-f', 'qcow2', image]),
  },
  {
    name: 'map, in this process, against the whole of qemu-img',
    unit: 'ms',
    ours: mapping,
    qemu: (image) => wallTime('qemu-img', ['map', '--output', 'json', image]),
  },
  {
    name: 'map, whole processes',
    unit: 'ms',
    ours: (image) => wallTime(process.execPath, [command, 'map', '--output', 'json', image]),
    qemu: (image) => wallTime('qemu-img', ['map', '--output', 'json', image]),
  },
  {
    name: 'info, whole processes',
    unit: 'ms',
    ours: (image) => wallTime(process.execPath, [command, 'info', image]),
    qemu: (image) => wallTime('qemu-img', ['info', image]),
  },
  {
    name: 'info, against `node -e 0`',
    unit: 'ms',
    images: (name) => name === 'plain',
    ours: (image) => wallTime(process.execPath, [command, 'info', image]),
    qemu: () => wallTime(process.execPath, ['-e', '0']),
  },
  ...CONVERSIONS.map((options): Work => {
    const args = (image: string, output: string) => ['convert', '-O', 'qcow2', ...options, image, output];
    return {
      name: `convert ${['-O qcow2', ...options].join(' ')}`,
      unit: 'ms',
      images: (name) => name === 'plain',
      ours: (image) =>
        wallTime(process.execPath, [command, ...args(image, `${image}.ours`)], `${image}.ours`),
      qemu: (image) => wallTime('qemu-img', args(image, `${image}.qemu`), `${image}.qemu`),
    };
  }),
];

/** `count` reads of `length` bytes, `step` apart, in this process; wraps at the end of the disk. */
async function reading(image: string, length: number, step: number, count: number): Promise<number> {
  await using disk = await disks.open(image);
  if (!can(disk, 'readInto')) throw new Error('the disk has no inner path');
  const buffer = transferBuffer(length);
  const limit = disk.size() - length;
  const start = performance.now();
  for (let index = 0, offset = 0; index < count; index++) {
    const waiting = disk.readInto(offset, buffer);
    if (waiting !== undefined) await waiting;
    offset += step;
    if (offset > limit) offset -= limit - (limit % 4096);
  }
  return performance.now() - start;
}

async function readsFor(image: string, length: number): Promise<number> {
  await using disk = await disks.open(image);
  return Math.floor(Math.min(disk.size(), MAX_READ) / length);
}

async function opening(image: string): Promise<number> {
  const sector = new Uint8Array(512);
  const start = performance.now();
  for (let count = 0; count < OPENINGS; count++) {
    await using disk = await disks.open(image);
    await disk.read(0, sector.length, { into: sector });
  }
  return performance.now() - start;
}

async function mapping(image: string): Promise<number> {
  const start = performance.now();
  await using disk = await disks.open(image);
  if (!can(disk, 'extents')) throw new Error('the disk has no extents');
  let end = 0;
  for await (const { offset, length } of disk.extents()) end = offset + length;
  if (end !== disk.size()) throw new Error(`the map ends at ${end} of ${disk.size()}`);
  return performance.now() - start;
}

/** The time that `qemu-img bench` tells: without its start. Depth 1: one request after the other, as ours. */
function qemuBench(image: string, length: number, step: number, count: number): number {
  const sizes = ['-c', `${count}`, '-s', `${length}`, '-S', `${step}`];
  const text = execFileSync('qemu-img', ['bench', '-d', '1', '-f', 'qcow2', ...sizes, image], {
    encoding: 'utf8',
  });
  const seconds = /completed in ([\d.]+) seconds/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`qemu-img bench said: ${text}`);
  return Number(seconds) * 1000;
}

/** Wall time of a whole process; its output file is removed again. */
async function wallTime(program: string, args: readonly string[], output?: string): Promise<number> {
  if (output !== undefined) {
    touchMemory(output);
    touchChain(output.slice(0, output.lastIndexOf('.')));
  }
  const start = performance.now();
  execFileSync(program, args, { stdio: 'ignore' });
  const milliseconds = performance.now() - start;
  if (output !== undefined) rmSync(output);
  return milliseconds;
}

/**
 * Leaves a gigabyte and a half of memory free that was in use just now. A virtual machine that has given free memory back
 * to its host takes up to a second to get it again, which would be counted for whoever writes next.
 */
function touchMemory(beside: string): void {
  const path = `${beside}.warm`;
  const bytes = new Uint8Array(4 * MIB).fill(1);
  const fd = openSync(path, 'w');
  for (let written = 0; written < 1536 * MIB; written += bytes.length) writeSync(fd, bytes);
  closeSync(fd);
  rmSync(path);
}

/** The chain of an image is in the page cache, whatever the machine has thought of it meanwhile. */
function touchChain(image: string): void {
  const told = execFileSync('qemu-img', ['info', '--backing-chain', '--output', 'json', image], {
    encoding: 'utf8',
  });
  const bytes = new Uint8Array(4 * MIB);
  for (const { filename } of JSON.parse(told) as { filename: string }[]) {
    const fd = openSync(filename, 'r');
    while (readSync(fd, bytes) > 0);
    closeSync(fd);
  }
}

/** The most memory that a process had at a time, by a small program around it that asks the kernel. */
async function peakMemory(args: readonly string[], output: string): Promise<number> {
  const ask =
    'import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)';
  const { stdout, status } = spawnSync('python3', ['-c', ask, ...args], { encoding: 'utf8' });
  rmSync(output, { force: true });
  return status === 0 ? Number(stdout) / 1024 : Number.NaN; // no Python here: nothing to say
}
