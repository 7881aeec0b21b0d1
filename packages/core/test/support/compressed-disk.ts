import type { Decompress } from '../../src/contracts/codec.ts';
import { DEFAULT_LIMITS, type Limits } from '../../src/contracts/services.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';

/** An open disk whose units are all "compressed": stored as they are, side by side. */
export async function compressedDisk(
  stored: Uint8Array,
  unit: number,
  decompress: Decompress,
  limits: Partial<Limits> = {},
): Promise<MappedDisk> {
  const disk = new MappedDisk({
    type: 'TOY',
    format: 'toy',
    downstream: new MemoryDisk(stored.slice()),
    mountMode: 'r',
    limits: { ...DEFAULT_LIMITS, ...limits },
    load: async () => ({
      size: stored.length,
      info: { format: 'toy', virtualSize: stored.length, clusterSize: unit },
      codecs: [decompress],
      translate(offset, length, extents) {
        const skip = offset % unit;
        extents.compressed(Math.min(length, unit - skip), offset - skip, unit, skip, unit);
        return undefined;
      },
    }),
  });
  await disk.init();
  return disk;
}
