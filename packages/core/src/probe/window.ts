import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { readFully } from '../io/range.ts';

/** Bytes at the start of a disk that a probe sees. */
export const HEAD_BYTES = 4096;
/** Bytes at the end of a disk that a probe sees: a fixed VHD keeps its magic in a footer. */
export const TAIL_BYTES = 512;

/** What a probe sees of a disk: both ends, read once. Shorter than the constants on a small disk. */
export interface ProbeWindow {
  readonly head: Uint8Array;
  readonly tail: Uint8Array;
  /** Bytes of the whole disk. */
  readonly size: number;
}

/** Reads both ends of a disk. A short read is an error: a probe never takes half a head for a small disk. */
export async function readProbeWindow(disk: DiskModule, io?: Io): Promise<ProbeWindow> {
  const size = disk.size();
  const head = new Uint8Array(Math.min(size, HEAD_BYTES));
  await readFully(disk, 0, head, io);
  if (size <= HEAD_BYTES) return { head, tail: head.slice(-TAIL_BYTES), size };
  const tail = new Uint8Array(TAIL_BYTES);
  await readFully(disk, size - TAIL_BYTES, tail, io);
  return { head, tail, size };
}
