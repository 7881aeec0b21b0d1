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
  return readTail(disk, await readHead(disk, io, bytes), io, bytes);
}

/** Reads the start of a disk. The tail is empty, unless the head has all of the disk. */
export async function readHead(disk: DiskModule, io?: Io, bytes: WindowSize = USUAL): Promise<ProbeWindow> {
  const size = disk.size();
  const head = new Uint8Array(Math.min(size, bytes.head));
  const waiting = readFully(disk, 0, head, io);
  if (waiting !== undefined) await waiting;
  return { head, tail: head.length === size ? head.slice(-bytes.tail) : new Uint8Array(0), size };
}

/** Adds the end of the disk to a window that has only the start. */
export async function readTail(
  disk: DiskModule,
  window: ProbeWindow,
  io?: Io,
  bytes: WindowSize = USUAL,
): Promise<ProbeWindow> {
  const { head, size } = window;
  if (head.length === size) return window;
  const tail = new Uint8Array(Math.min(size, bytes.tail));
  await readFully(disk, size - tail.length, tail, io);
  return { head, tail, size };
}
