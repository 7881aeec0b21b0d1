import { checkBytes } from '../binary/safe-number.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { storageError } from './storage-error.ts';

/** The rules of the contract for offsets and lengths, and for reading another disk: one place for all layers. */

/** Where the bytes of a read go: as long as what is left of the disk there; the caller's buffer if there is one. */
export function readTarget(size: number, offset: number, length: number, into?: Uint8Array): Uint8Array {
  checkBytes(offset, 'offset');
  checkBytes(length, 'length');
  const clipped = Math.min(length, Math.max(0, size - offset));
  if (into === undefined) return allocate(clipped);
  if (into.length < clipped) {
    throw new DiskError('ERR_ARGUMENT', `the buffer holds ${into.length} bytes, ${clipped} are to be read`);
  }
  return into.length === clipped ? into : into.subarray(0, clipped);
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (cause) {
    throw new DiskError('ERR_LIMIT', `${length} bytes are more than one read can return; read in pieces`, {
      cause,
    });
  }
}

/** A write lies inside the disk, whole. */
export function checkWrite(size: number, offset: number, length: number): void {
  checkBytes(offset, 'offset');
  if (offset + length > size) {
    throw new DiskError(
      'ERR_OUT_OF_BOUNDS',
      `a write of ${length} bytes at offset ${offset} ends past the end of the disk, ${size}`,
    );
  }
}

/** A range for `readInto`: inside the disk, whole. */
export function checkInside(size: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size) return;
  throw new DiskError(
    'ERR_ARGUMENT',
    `${length} bytes at offset ${offset} are not inside the disk of ${size} bytes`,
  );
}

/** The part of a range that lies inside the disk; the rest of the disk when no length is given. */
export function clipRange(size: number, offset: number, length: number | undefined): number {
  checkBytes(offset, 'offset');
  if (length !== undefined) checkBytes(length, 'length');
  return Math.min(length ?? Number.MAX_SAFE_INTEGER, Math.max(0, size - offset));
}

/** Fills `into` from any disk, without a promise where the disk can. A short read is an error, never data. */
export function readFully(
  disk: DiskModule,
  offset: number,
  into: Uint8Array,
  io?: Io,
): Promise<void> | undefined {
  return can(disk, 'readInto') ? disk.readInto(offset, into, io) : readPlain(disk, offset, into, io);
}

/** Writes all of `data` to any disk. A disk that takes fewer bytes has failed: the rest would be lost in silence. */
export async function writeFully(disk: DiskModule, offset: number, data: Uint8Array, io?: Io): Promise<void> {
  const written = await disk.write(offset, data, io);
  if (written === data.length) return;
  throw new DiskError('ERR_IO', `${data.length} bytes given to the disk below, it took ${written}`, {
    offset,
  });
}

async function readPlain(disk: DiskModule, offset: number, into: Uint8Array, io?: Io): Promise<void> {
  const got = await readOther(disk, offset, into, io);
  if (got.length !== into.length) {
    throw new DiskError(
      'ERR_SHORT_READ',
      `${into.length} bytes asked of the disk below, ${got.length} came`,
      {
        offset,
      },
    );
  }
  if (got.buffer !== into.buffer || got.byteOffset !== into.byteOffset) into.set(got);
}

/** A disk without `readInto` may be of anybody's making, and throw anything. */
async function readOther(disk: DiskModule, offset: number, into: Uint8Array, io?: Io): Promise<Uint8Array> {
  try {
    const got: unknown = await disk.read(offset, into.length, { ...io, into });
    if (got instanceof Uint8Array) return got;
    throw new DiskError('ERR_IO', 'the storage answered a read with no bytes', { offset });
  } catch (error) {
    throw storageError(error, can(disk, 'location') ? disk.location : undefined, offset);
  }
}
