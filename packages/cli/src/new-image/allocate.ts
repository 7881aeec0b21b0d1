import type { DiskModule } from '@diskstack/core';
import { writeFully } from '@diskstack/core/format';

/** Bytes of one write. */
const PIECE = 2 * 1024 * 1024;

/** Writes zeroes into a new part of a disk, so that the file system allocates its space. Node has no faster way. */
export async function allocate(
  disk: DiskModule,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<void> {
  const zeroes = new Uint8Array(Math.min(PIECE, to - from));
  for (let at = from; at < to; at += zeroes.length)
    await writeFully(disk, at, zeroes.subarray(0, to - at), { signal });
}
