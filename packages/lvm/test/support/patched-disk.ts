import type { DiskModule } from '@diskstack/core';
import { defineDisk, readFully } from '@diskstack/core/format';

/** Another disk with some bytes changed. */
export interface PatchedDisk {
  /** Read-only, and open. Closing it leaves the other disk open. */
  readonly disk: DiskModule;
  patch(at: number, bytes: Uint8Array): void;
}

export async function patchedDisk(original: DiskModule): Promise<PatchedDisk> {
  const patches = new Map<number, Uint8Array>();
  const disk = defineDisk({
    size: () => original.size(),
    async readInto(offset, into, io) {
      await readFully(original, offset, into, io);
      for (const [at, bytes] of patches) {
        const from = Math.max(at, offset);
        const to = Math.min(at + bytes.length, offset + into.length);
        if (from < to) into.set(bytes.subarray(from - at, to - at), from - offset);
      }
    },
  });
  await disk.init();
  return { disk, patch: (at, bytes) => void patches.set(at, bytes) };
}
