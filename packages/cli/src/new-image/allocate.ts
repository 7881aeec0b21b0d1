import { can, type DiskModule } from '@diskstack/core';
import { writeFully } from '@diskstack/core/format';

/** Bytes of one write. */
const PIECE = 2 * 1024 * 1024;

/** Makes the file system allocate the space of a new part of a disk: `full` by zeroes that are written, `falloc` in a faster way. */
export async function allocate(
  disk: DiskModule,
  from: number,
  to: number,
  mode: 'falloc' | 'full',
  signal: AbortSignal,
): Promise<void> {
  if (mode === 'falloc' && can(disk, 'writeZeroes')) {
    await disk.writeZeroes(from, to - from, { signal });
    return;
  }
  const zeroes = new Uint8Array(Math.min(PIECE, to - from));
  for (let at = from; at < to; at += zeroes.length)
    await writeFully(disk, at, zeroes.subarray(0, to - at), { signal });
}
