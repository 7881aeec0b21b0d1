import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, fstatSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BenchImage } from '../images.ts';
import type { Reads } from './reading.ts';

const MIB = 1024 * 1024;
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** A program and its arguments. */
export type Command = readonly [program: string, ...args: string[]];

/** The command of diskstack, as it is built. */
export function diskstack(...args: string[]): Command {
  return [process.execPath, here('../../../packages/cli/bin/diskstack.js'), ...args];
}

export function qemuImg(...args: string[]): Command {
  return ['qemu-img', ...args];
}

/** Whether a program is installed. */
export function isInstalled(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined;
}

/** Milliseconds that a whole process takes. It has to succeed. */
export function wallTime([program, ...args]: Command): number {
  const start = performance.now();
  execFileSync(program, args, { stdio: 'ignore' });
  return performance.now() - start;
}

/** Milliseconds that a process takes to make `output` from `image`. The output is removed afterwards. */
export function writingTime(image: string, output: string, command: Command): number {
  touchMemory(output);
  touchChain(image);
  const milliseconds = wallTime(command);
  rmSync(output);
  return milliseconds;
}

/** The most memory in MiB that a process has at a time, by a small program around it that asks the kernel. */
export function peakMemory(output: string, command: Command): number {
  const ask =
    'import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)';
  const kibibytes = Number(execFileSync('python3', ['-c', ask, ...command], { encoding: 'utf8' }));
  rmSync(output);
  return kibibytes / 1024;
}

/** Milliseconds that the reads take in a fresh process, without its start. */
export function freshReadingTime(image: string, { length, step, count }: Reads): number {
  const options = ['--disable-warning=ExperimentalWarning', here('fresh-reading.ts')];
  const args = [image, length, step, count].map(String);
  return Number(execFileSync(process.execPath, [...options, ...args], { encoding: 'utf8' }));
}

/** The time that `qemu-img bench` prints: without its start. Depth 1: one request after the other, as ours. */
export function qemuBench({ path, format }: BenchImage, { length, step, count }: Reads): number {
  const sizes = ['-c', `${count}`, '-s', `${length}`, '-S', `${step}`];
  const text = execFileSync('qemu-img', ['bench', '-d', '1', '-f', format, ...sizes, path], {
    encoding: 'utf8',
  });
  const seconds = /completed in ([\d.]+) seconds/.exec(text)?.[1];
  if (seconds === undefined) throw new Error(`qemu-img bench printed: ${text}`);
  return Number(seconds) * 1000;
}

/**
 * Leaves a gigabyte and a half of memory free that was in use just now. A virtual machine that has given free memory back
 * to its host takes up to a second to get it again, and the next process that writes would be charged for it.
 */
function touchMemory(beside: string): void {
  const path = `${beside}.warm`;
  const bytes = new Uint8Array(4 * MIB).fill(1);
  const fd = openSync(path, 'w');
  for (let written = 0; written < 1536 * MIB; written += bytes.length) writeSync(fd, bytes);
  closeSync(fd);
  rmSync(path);
}

/**
 * Reads the chain of an image into the page cache. Not files that are mostly holes: the kernel would cache the holes as pages of
 * zeroes, and drop what is needed.
 */
function touchChain(image: string): void {
  const text = execFileSync('qemu-img', ['info', '--backing-chain', '--output', 'json', image], {
    encoding: 'utf8',
  });
  const bytes = new Uint8Array(4 * MIB);
  for (const { filename } of JSON.parse(text) as { filename: string }[]) {
    const fd = openSync(filename, 'r');
    const { blocks, size } = fstatSync(fd);
    const isMostlyHoles = blocks * 512 < size / 4;
    while (!isMostlyHoles && readSync(fd, bytes) > 0);
    closeSync(fd);
  }
}
