import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** File systems that can be made and mounted, and how. */
const MAKE = {
  xfs: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
  btrfs: ['mkfs.btrfs', '-q'],
  ext4: ['mkfs.ext4', '-q'],
  ext2: ['mkfs.ext2', '-q'],
  vfat: ['mkfs.vfat'],
} as const;

export type FileSystem = keyof typeof MAKE;

/** Why no file system can be mounted here; `undefined` if one can. Says so loudly. */
export function whyNoMounts(kind: FileSystem): string | undefined {
  const [program] = MAKE[kind];
  const reason =
    process.getuid?.() !== 0
      ? 'only root can mount a file system'
      : spawnSync(program, ['-V']).error !== undefined
        ? `${program} cannot be started`
        : spawnSync('losetup', ['--find']).status !== 0
          ? 'there are no loop devices for us here'
          : undefined;
  if (reason !== undefined) console.warn(`WARNING: tests on ${kind} are skipped: ${reason}`);
  return reason;
}

/** Makes a file system of `size` bytes in a sparse file, and mounts it at `folder/kind`. Returns what unmounts it. */
export function mount(folder: string, kind: FileSystem, size: number): () => void {
  const image = join(folder, `${kind}.img`);
  const point = join(folder, kind);
  writeFileSync(image, '');
  truncateSync(image, size);
  const [program, ...flags] = MAKE[kind];
  execFileSync(program, [...flags, image], { stdio: 'ignore' });
  mkdirSync(point);
  execFileSync('mount', ['-o', 'loop', image, point]);
  return () => void execFileSync('umount', [point]);
}
