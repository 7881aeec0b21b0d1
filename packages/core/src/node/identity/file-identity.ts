import { type BigIntStats, statSync } from 'node:fs';
import { deviceNumber } from './block-device.ts';

/** An identity that all names of a file share, including links. For a device, all its device nodes share it. */
export function identityOfStats(stats: BigIntStats): string {
  return stats.isBlockDevice()
    ? identityOfDevice(deviceNumber(stats.rdev))
    : `file ${stats.dev}:${stats.ino}`;
}

/** The same for a block device, by its `major:minor`. */
export function identityOfDevice(number: string): string {
  return `device ${number}`;
}

/** The same for a path. `undefined` if nothing is there, or if it cannot be accessed. */
export function fileIdentity(path: string): string | undefined {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats && identityOfStats(stats);
  } catch {
    return undefined;
  }
}
