import { hex } from '@diskstack/core';
import type { QcowImage } from '../image/image.ts';
import type { Snapshot } from '../layout/snapshot.ts';

/** Why the L1 table of a snapshot cannot be at the place that its entry names; `undefined` when it can. */
export function snapshotL1Problem(
  { l1TableOffset: at, l1Size }: Pick<Snapshot, 'l1TableOffset' | 'l1Size'>,
  { geometry, limits, file }: Pick<QcowImage, 'geometry' | 'limits' | 'file'>,
): string | undefined {
  const { clusterSize } = geometry;
  const length = l1Size * 8;
  if (at % clusterSize !== 0) return `is at byte ${hex(at)}, not a multiple of ${clusterSize}`;
  if (length === 0) return undefined;
  if (length > limits.maxTableBytes) return `has ${l1Size} entries, ${limits.maxTableBytes / 8} are allowed`;
  if (at === 0) return 'is at byte 0, where the header is';
  if (at + length > file.size()) return `ends at byte ${hex(at + length)}, the file at ${hex(file.size())}`;
  return undefined;
}
