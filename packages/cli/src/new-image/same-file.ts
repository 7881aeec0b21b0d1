import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { can, DiskError, type DiskModule, dirname, joinPath, quote } from '@diskstack/core';
import { locationOf } from '../session/session.ts';

/** The file of a layer, and its data file if it has one. */
export function filesOf(layer: DiskModule): string[] {
  const location = locationOf(layer);
  if (location === undefined) return [];
  const dataFile = can(layer, 'info') ? layer.info().dataFile : undefined;
  return dataFile === undefined ? [location] : [location, joinPath(dirname(location), dataFile)];
}

/** Refuses an output that is one of the inputs: its content would be overwritten before it is read. */
export function refuseSameFile(output: string, inputs: readonly string[]): void {
  const target = placesOf(output);
  if (target.length === 0) return;
  for (const input of inputs) {
    if (sharesBytes(target, placesOf(input))) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `the output ${quote(output)} is the same file as the input ${quote(input)}`,
      );
    }
  }
}

/** Whether two places overlap, as a disk and its partition do, or a loop device and its file. Two partitions do not. */
function sharesBytes([a, ...belowA]: readonly string[], [b, ...belowB]: readonly string[]): boolean {
  if (a === undefined || b === undefined) return false;
  return a === b || belowA.includes(b) || belowB.includes(a);
}

/** Identifies a file or a device. For a device, the disks and files below it follow. */
function placesOf(path: string): readonly string[] {
  let stats: BigIntStats;
  try {
    stats = statSync(path, { bigint: true });
  } catch {
    return []; // no such file, or the path of a volume
  }
  if (!stats.isBlockDevice()) return [`file ${stats.dev}:${stats.ino}`];
  return placesOfDevice(deviceNumber(stats.rdev));
}

function placesOfDevice(number: string, depth = 0): readonly string[] {
  const folder = `/sys/dev/block/${number}`; // Linux only; elsewhere the number is all there is
  const below =
    depth === DEEPEST
      ? []
      : [
          ...linesOf(`${folder}/loop/backing_file`).flatMap(placesOf),
          ...namesIn(`${folder}/slaves`)
            .flatMap((name) => linesOf(`${folder}/slaves/${name}/dev`))
            .flatMap((slave) => placesOfDevice(slave, depth + 1)),
          ...linesOf(`${folder}/partition`)
            .flatMap(() => linesOf(`${folder}/../dev`))
            .flatMap((disk) => placesOfDevice(disk, depth + 1)),
        ];
  return [`device ${number}`, ...below];
}

/** Most levels of devices on devices: a partition of a volume of a RAID set of partitions … */
const DEEPEST = 8;

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

/** `major:minor`, computed as by glibc's `gnu_dev_major` and `gnu_dev_minor`. */
function deviceNumber(rdev: bigint): string {
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & 0xfffff000n);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
