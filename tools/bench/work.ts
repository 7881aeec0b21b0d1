import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { createDisks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { qcow2 } from '@diskstack/qcow';
import { raw } from '@diskstack/raw';

const MIB = 1024 * 1024;
const disks = createDisks({ formats: [raw, qcow2], drivers: [fileDriver()], codecs: zlibCodecs });
const command = new URL('../../packages/cli/bin/diskstack.js', import.meta.url).pathname;

/** A piece of work that both programs do. Each answers the seconds that it took. */
export interface Work {
  readonly name: string;
  ours(image: string): Promise<number>;
  qemu(image: string): Promise<number>;
}

/** Bytes read of a large disk: all of a small one. */
const MAX_READ = 1024 * MIB;
const RANDOM_READS = 10_000;
/** A stride that visits 4 KiB blocks all over the disk: `qemu-img bench` knows steps only. */
const STRIDE = 4096 * 7919;

export const works: readonly Work[] = [
  {
    name: 'sequential read',
    ours: (image) => reading(image, 2 * MIB, 2 * MIB, Number.POSITIVE_INFINITY),
    qemu: async (image) => qemuBench(image, 2 * MIB, 2 * MIB, await readsFor(image, 2 * MIB)),
  },
  {
    name: 'random 4 KiB',
    ours: (image) => reading(image, 4096, STRIDE, RANDOM_READS),
    qemu: async (image) => qemuBench(image, 4096, STRIDE, RANDOM_READS),
  },
  {
    name: 'convert to raw',
    ours: (image) =>
      wallTime(process.execPath, [command, 'convert', '-O', 'raw', image, `${image}.ours`], `${image}.ours`),
    qemu: (image) => wallTime('qemu-img', ['convert', '-O', 'raw', image, `${image}.qemu`], `${image}.qemu`),
  },
  {
    name: 'map',
    ours: (image) => wallTime(process.execPath, [command, 'map', '--output', 'json', image]),
    qemu: (image) => wallTime('qemu-img', ['map', '--output', 'json', image]),
  },
  {
    name: 'info',
    ours: (image) => wallTime(process.execPath, [command, 'info', image]),
    qemu: (image) => wallTime('qemu-img', ['info', image]),
  },
];

/** `count` reads of `length` bytes, `step` apart, in this process; wraps at the end of the disk. */
async function reading(image: string, length: number, step: number, count: number): Promise<number> {
  await using disk = await disks.open(image);
  const reads = Math.min(count, Math.floor(Math.min(disk.size(), MAX_READ) / length));
  const buffer = new Uint8Array(length);
  const limit = disk.size() - length;
  const start = performance.now();
  for (let index = 0, offset = 0; index < (Number.isFinite(count) ? count : reads); index++) {
    await disk.read(offset, length, { into: buffer });
    offset += step;
    if (offset > limit) offset -= limit - (limit % 4096);
  }
  return (performance.now() - start) / 1000;
}

async function readsFor(image: string, length: number): Promise<number> {
  await using disk = await disks.open(image);
  return Math.floor(Math.min(disk.size(), MAX_READ) / length);
}

/** The time that `qemu-img bench` tells: without its start. Depth 1: one request after the other, as ours. */
function qemuBench(image: string, length: number, step: number, count: number): number {
  const args = [
    'bench',
    '-d',
    '1',
    '-f',
    'qcow2',
    '-c',
    `${count}`,
    '-s',
    `${length}`,
    '-S',
    `${step}`,
    image,
  ];
  const text = execFileSync('qemu-img', args, { encoding: 'utf8' });
  const seconds = /completed in ([\d.]+) seconds/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`qemu-img bench said: ${text}`);
  return Number(seconds);
}

/** Wall time of a whole process; its output file is removed again. */
async function wallTime(program: string, args: readonly string[], output?: string): Promise<number> {
  const start = performance.now();
  execFileSync(program, args, { stdio: 'ignore' });
  const seconds = (performance.now() - start) / 1000;
  if (output !== undefined) rmSync(output);
  return seconds;
}
