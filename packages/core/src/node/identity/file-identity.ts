import { type BigIntStats, statSync } from 'node:fs';
import { deviceNumber } from './block-device.ts';

/** Equal for two names that lead to the same bytes, also by links; of a device, by any of its nodes. */
export function identityOfStats(stats: BigIntStats): string {
  return stats.isBlockDevice()
    ? identityOfDevice(deviceNumber(stats.rdev))
    : `file ${stats.dev}:${stats.ino}`;
}

/** The same for a block device, by its `major:minor`. */
export function identityOfDevice(number: string): string {
  return `device ${number}`;
}

/** The same for what is stored at a path; `undefined` where nothing is, or nothing that can be looked at. */
export function fileIdentity(path: string): string | undefined {
  try {
    const stats = statSync(path, { bigint: true, throwIfNoEntry: false });
    return stats && identityOfStats(stats);
  } catch {
    return undefined;
  }
}
