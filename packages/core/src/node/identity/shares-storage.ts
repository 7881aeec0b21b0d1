import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { deviceNumber } from './block-device.ts';
import { identityOfDevice, identityOfStats } from './file-identity.ts';

/** Most levels of devices on devices: a partition of a volume of a RAID set of partitions … */
const DEEPEST = 8;

/**
 * Whether two paths lead to bytes of each other: names of one file or device, a disk and its partition, a loop device and its
 * file. Two partitions of a disk do not. False where nothing is at a path. Links between devices are seen on Linux only.
 */
export function sharesStorage(one: string, other: string): boolean {
  const [[a, ...belowA], [b, ...belowB]] = [storagesOf(one), storagesOf(other)];
  if (a === undefined || b === undefined) return false;
  return a === b || belowA.includes(b) || belowB.includes(a);
}

/** The identity of a file or a device. For a device, the disks and files below it follow. */
function storagesOf(path: string): readonly string[] {
  let stats: BigIntStats;
  try {
    stats = statSync(path, { bigint: true });
  } catch {
    return []; // no such file, or the path of a volume
  }
  return stats.isBlockDevice() ? storagesOfDevice(deviceNumber(stats.rdev)) : [identityOfStats(stats)];
}

function storagesOfDevice(number: string, depth = 0): readonly string[] {
  const folder = `/sys/dev/block/${number}`;
  const below =
    depth === DEEPEST
      ? []
      : [
          ...linesOf(`${folder}/loop/backing_file`).flatMap(storagesOf),
          ...namesIn(`${folder}/slaves`)
            .flatMap((name) => linesOf(`${folder}/slaves/${name}/dev`))
            .flatMap((slave) => storagesOfDevice(slave, depth + 1)),
          ...linesOf(`${folder}/partition`)
            .flatMap(() => linesOf(`${folder}/../dev`))
            .flatMap((disk) => storagesOfDevice(disk, depth + 1)),
        ];
  return [identityOfDevice(number), ...below];
}

function linesOf(path: string): readonly string[] {
  try {
    return [readFileSync(path, 'utf8').replace(/\n$/, '')];
  } catch {
    return [];
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
