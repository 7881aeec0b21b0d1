import { checkBytes } from '../binary/safe-number.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError } from '../errors/disk-error.ts';
import { storageError } from './storage-error.ts';

/** The rules of `DiskModule` for offsets and lengths, and for reading and writing another disk. All layers use them. */

/** Returns the buffer for a read, clipped at the end of the disk: a view of the caller's buffer `into`, or a new one. */
export function readTarget(size: number, offset: number, length: number, into?: Uint8Array): Uint8Array {
  checkBytes(offset, 'offset');
  checkBytes(length, 'length');
  const clipped = Math.min(length, Math.max(0, size - offset));
  if (into === undefined) return allocate(clipped);
  if (into.length < clipped) {
    throw new DiskError('ERR_ARGUMENT', `the buffer has ${into.length} bytes, the read needs ${clipped}`);
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

/** Throws `ERR_OUT_OF_BOUNDS` unless a write is completely inside the disk. */
export function checkWrite(size: number, offset: number, length: number): void {
  checkBytes(offset, 'offset');
  if (offset + length > size) {
    throw new DiskError(
      'ERR_OUT_OF_BOUNDS',
      `a write of ${length} bytes at offset ${offset} ends past the end of the disk, ${size}`,
    );
  }
}

/** Throws `ERR_ARGUMENT` unless a range for `readInto` is completely inside the disk. */
export function checkInside(size: number, offset: number, length: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0 && offset + length <= size) return;
  throw new DiskError(
    'ERR_ARGUMENT',
    `${length} bytes at offset ${offset} are not inside the disk of ${size} bytes`,
  );
}

/** Returns the length of the part of a range that is inside the disk. Default of `length`: to the end of the disk. */
export function clipRange(size: number, offset: number, length: number | undefined): number {
  checkBytes(offset, 'offset');
  if (length !== undefined) checkBytes(length, 'length');
  return Math.min(length ?? Number.MAX_SAFE_INTEGER, Math.max(0, size - offset));
}

/** Fills `into` from any disk. Makes no promise if the disk reads synchronously. A short read is an error, `ERR_SHORT_READ`. */
export function readFully(
  disk: DiskModule,
  offset: number,
  into: Uint8Array,
  io?: Io,
): Promise<void> | undefined {
  return can(disk, 'readInto') ? disk.readInto(offset, into, io) : readPlain(disk, offset, into, io);
}

/** Writes all of `data` to any disk. A short write is an error (`ERR_IO`), because the rest would be lost silently. */
export async function writeFully(disk: DiskModule, offset: number, data: Uint8Array, io?: Io): Promise<void> {
  const written = await disk.write(offset, data, io);
  if (written === data.length) return;
  throw new DiskError('ERR_IO', `the disk below wrote ${written} of ${data.length} bytes`, {
    offset,
  });
}

async function readPlain(disk: DiskModule, offset: number, into: Uint8Array, io?: Io): Promise<void> {
  const got = await readOther(disk, offset, into, io);
  if (got.length !== into.length) {
    throw new DiskError('ERR_SHORT_READ', `the disk below returned ${got.length} of ${into.length} bytes`, {
      offset,
    });
  }
  if (got.buffer !== into.buffer || got.byteOffset !== into.byteOffset) into.set(got);
}

/** Reads a disk without `readInto`. It may be foreign code that throws or returns anything. */
async function readOther(disk: DiskModule, offset: number, into: Uint8Array, io?: Io): Promise<Uint8Array> {
  try {
    const got: unknown = await disk.read(offset, into.length, { ...io, into });
    if (got instanceof Uint8Array) return got;
    throw new DiskError('ERR_IO', 'read() of the storage did not return a Uint8Array', { offset });
  } catch (error) {
    throw storageError(error, can(disk, 'location') ? disk.location : undefined, offset);
  }
}
