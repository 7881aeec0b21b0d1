import { type BigIntStats, statSync } from 'node:fs';
import { can, DiskError, type DiskModule, dirname, joinPath, quote } from '@diskstack/core';
import { locationOf } from './session.ts';

/** The file of a layer, and the one that holds its clusters where that is another. */
export function filesOf(layer: DiskModule): string[] {
  const location = locationOf(layer);
  if (location === undefined) return [];
  const dataFile = can(layer, 'info') ? layer.info().dataFile : undefined;
  return dataFile === undefined ? [location] : [location, joinPath(dirname(location), dataFile)];
}

/** What is read must not be what is written: the content would be gone before it is read. */
export function refuseSameFile(output: string, inputs: readonly string[]): void {
  const target = identityOf(output);
  if (target === undefined) return;
  for (const input of inputs) {
    if (identityOf(input) === target) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `the output ${quote(output)} is the same file as the input ${quote(input)}`,
      );
    }
  }
}

/** Equal for two paths that lead to the same bytes, also by links; of a device, by any of its nodes. */
export function identityOf(path: string): string | undefined {
  let stats: BigIntStats;
  try {
    stats = statSync(path, { bigint: true });
  } catch {
    return undefined; // not there, or the path of a volume
  }
  return stats.isBlockDevice() ? `device ${stats.rdev}` : `file ${stats.dev}:${stats.ino}`;
}
