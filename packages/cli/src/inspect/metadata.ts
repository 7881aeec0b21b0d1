import { can, type DiskModule } from '@diskstack/core';
import { faultOfImage } from './opening.ts';
import { type InspectCheck, passed, violated } from './verdict.ts';

export interface MetadataFindings {
  readonly check: InspectCheck;
  /** Guest bytes that the image has compressed; `undefined` when they cannot be counted. */
  readonly compressedBytes: number | undefined;
}

/** Checks the tables of the image against each other. */
export async function inspectMetadata(disk: DiskModule, clusterSize = 0): Promise<MetadataFindings> {
  if (!can(disk, 'check')) {
    const check = passed('metadata', 'the format has no metadata that could be checked');
    return { check, compressedBytes: await compressedBytes(disk) };
  }
  try {
    const { corruptions, leaks, errors, findings, compressedClusters } = await disk.check();
    const worst = findings.find(({ kind }) => kind !== 'leak');
    const check =
      corruptions + errors > 0
        ? violated('metadata', `${corruptions + errors} errors; one is: ${worst?.message ?? 'not kept'}`)
        : passed('metadata', leaks === 0 ? 'consistent' : `consistent, with ${leaks} leaked clusters`);
    return { check, compressedBytes: compressedClusters * clusterSize };
  } catch (error) {
    const { code, message } = faultOfImage(error);
    return { check: violated('metadata', `${code}: ${message}`), compressedBytes: undefined };
  }
}

/** Extents that are counted at most. Tables that refer to each other can make far too many. */
const MAX_EXTENTS = 2_000_000;

/** Counts compressed bytes by the map of the disk, for formats whose check does not count them. */
async function compressedBytes(disk: DiskModule): Promise<number | undefined> {
  if (!can(disk, 'extents')) return 0;
  let bytes = 0;
  let seen = 0;
  try {
    for await (const { kind, length } of disk.extents()) {
      if (kind === 'compressed') bytes += length;
      if (++seen > MAX_EXTENTS) return undefined;
    }
    return bytes;
  } catch (error) {
    faultOfImage(error);
    return undefined;
  }
}
