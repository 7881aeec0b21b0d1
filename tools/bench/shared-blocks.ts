import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, ftruncateSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { BenchImage } from './images.ts';
import { type Command, diskstack, qemuImg, wallTime } from './measure/processes.ts';
import type { Work } from './work.ts';

/** Converts on a file system that shares blocks: XFS in a file, mounted as long as the bench runs. */
export const sharingWorks: readonly Work[] = (['raw', 'qcow2'] as const).map((format) => ({
  name: `convert to ${format}, on XFS`,
  unit: 'ms',
  images: ({ name }) => name === 'plain',
  program: 'mkfs.xfs',
  lacks: () => (process.getuid?.() === 0 ? undefined : 'only root can mount a file system'),
  ours: (image) => converted(image, 'ours', (...files) => diskstack('convert', '-O', format, ...files)),
  theirs: (image) => converted(image, 'qemu', (...files) => qemuImg('convert', '-O', format, ...files)),
}));

function converted(
  { path }: BenchImage,
  suffix: string,
  command: (input: string, output: string) => Command,
): number {
  const folder = xfs(join(dirname(path), 'xfs'), 4 * statSync(path).size);
  const input = join(folder, basename(path));
  if (!existsSync(input)) {
    copyFileSync(path, input);
    execFileSync('sync', ['-f', input]); // the kernel writes a new file out before it shares its blocks
  }
  const output = `${input}.${suffix}`;
  const milliseconds = wallTime(command(input, output));
  rmSync(output);
  return milliseconds;
}

let mounted: string | undefined;

/** A new XFS of this many bytes at least, mounted at the folder. */
function xfs(at: string, bytes: number): string {
  if (mounted !== undefined) return mounted;
  const file = `${at}.img`;
  mkdirSync(at, { recursive: true });
  ftruncateSync(openSync(file, 'w'), bytes + 512 * 1024 * 1024);
  execFileSync('mkfs.xfs', ['-q', '-m', 'reflink=1', file]);
  execFileSync('mount', ['-o', 'loop', file, at]);
  process.once('exit', () => {
    execFileSync('umount', [at]);
    rmSync(file);
  });
  mounted = at;
  return at;
}
