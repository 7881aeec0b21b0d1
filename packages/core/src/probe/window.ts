import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { ProbeWindow } from '../contracts/probe-window.ts';
import { readFully } from '../io/range.ts';

/** Bytes at the start of a disk that every probe gets. */
export const HEAD_BYTES = 4096;
/** Bytes at the end of a disk that every probe gets: a fixed VHD has its magic number in a footer. */
export const TAIL_BYTES = 512;

/** How many bytes of each end a window has. */
export interface WindowSize {
  readonly head: number;
  readonly tail: number;
}

const USUAL: WindowSize = { head: HEAD_BYTES, tail: TAIL_BYTES };

/** Reads both ends of a disk. A short read is an error, so that no probe takes a part of the head for a whole small disk. */
export async function readProbeWindow(
  disk: DiskModule,
  io?: Io,
  bytes: WindowSize = USUAL,
): Promise<ProbeWindow> {
  const size = disk.size();
  const head = new Uint8Array(Math.min(size, bytes.head));
  await readFully(disk, 0, head, io);
  if (size <= bytes.head) return { head, tail: head.slice(-bytes.tail), size };
  const tail = new Uint8Array(Math.min(size, bytes.tail));
  await readFully(disk, size - tail.length, tail, io);
  return { head, tail, size };
}
