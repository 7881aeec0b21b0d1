import { DEFAULT_LIMITS, type DiskModule, type Limits } from '@diskstack/core';
import type { Volume, VolumeSet } from '@diskstack/core/volumes';
import { partition } from '../../src/index.ts';

const logger = { warn() {}, debug() {} };

/** What the layout finds on one disk. */
export async function tableOf(
  disk: DiskModule,
  limits: Partial<Limits> = {},
): Promise<VolumeSet | undefined> {
  await disk.init();
  const context = { limits: { ...DEFAULT_LIMITS, ...limits }, logger };
  const [set] = await partition.find([{ disk, path: 'disk' }], context);
  return set;
}

/** All volumes of a set, logical partitions after their extended partition. */
export function flat(set: VolumeSet | undefined): readonly Volume[] {
  return (set?.volumes ?? []).flatMap((volume) => [volume, ...(volume.children ?? [])]);
}
