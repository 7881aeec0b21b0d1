import { type BigIntStats, promises as fs, readSync } from 'node:fs';
import { DiskError } from '../../errors/disk-error.ts';

/**
 * The sizes of a device and of its sector, in bytes. The `stat` of a device reports 0. Linux reports the size in sysfs; on other
 * systems the end is found by reading.
 */
export async function deviceGeometry(fd: number, rdev: number): Promise<{ size: number; blockSize: number }> {
  const sysfs = `/sys/dev/block/${deviceNumber(BigInt(rdev))}`;
  const sectors = await sysfsNumber(`${sysfs}/size`); // in units of 512 bytes, whatever the sector size
  const blockSize =
    (await sysfsNumber(`${sysfs}/queue/logical_block_size`)) ?? // for a partition, sysfs has it one level up
    (await sysfsNumber(`${sysfs}/../queue/logical_block_size`)) ??
    512;
  return { size: sectors === undefined ? findEnd(fd, blockSize) : sectors * 512, blockSize };
}

/** Throws for what is neither a file nor a block device: it cannot hold a disk. */
export function refuseOthers(stats: BigIntStats, layer: string): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  const what = stats.isDirectory() ? 'a folder' : 'neither a file nor a block device';
  throw new DiskError('ERR_ARGUMENT', `is ${what}, not a disk`, { layer });
}

/** Formats a device number as `major:minor`, split as glibc's `gnu_dev_major` and `gnu_dev_minor` do. */
export function deviceNumber(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

async function sysfsNumber(path: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await fs.readFile(path, 'utf8'), 10);
  } catch {
    return undefined; // not Linux, or sysfs is not mounted
  }
}

/** Finds the end of a device by reading: doubles the offset until a read fails, then bisects. */
function findEnd(fd: number, blockSize: number): number {
  const block = new Uint8Array(blockSize);
  const isInside = (index: number): boolean => {
    try {
      return readSync(fd, block, 0, blockSize, index * blockSize) === blockSize;
    } catch {
      return false;
    }
  };
  let outside = 1;
  while (isInside(outside)) outside *= 2;
  let inside = Math.floor(outside / 2);
  if (!isInside(inside)) return 0;
  while (outside - inside > 1) {
    const middle = Math.floor((inside + outside) / 2);
    if (isInside(middle)) inside = middle;
    else outside = middle;
  }
  return outside * blockSize;
}
