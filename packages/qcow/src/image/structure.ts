import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import { readFully } from '@diskstack/core/format';

/** The place of a structure in the image, and its name for errors. */
export interface StructurePlace {
  /** For example `an L1 table`. */
  readonly what: string;
  readonly at: number;
  /** Bytes. The caller has checked the length against a limit. */
  readonly length: number;
  /** Byte of the field that names the place, for errors. Default: `at`. */
  readonly fieldAt?: number;
}

/** Reads a whole structure. Throws `ERR_TRUNCATED`, before allocating, when the file ends earlier. */
export async function readStructure(
  file: DiskModule,
  { what, at, length, fieldAt = at }: StructurePlace,
  io: Io,
): Promise<Uint8Array> {
  if (at + length > file.size()) {
    const reason = `${what} up to byte ${at + length}, the file ends at ${file.size()}`;
    throw new DiskError('ERR_TRUNCATED', reason, { offset: fieldAt });
  }
  const bytes = new Uint8Array(length);
  await readFully(file, at, bytes, io);
  return bytes;
}

/** Reads the part of a range that is inside the file. A read that returns fewer bytes than that is an error. */
export async function readPart(file: DiskModule, at: number, length: number, io: Io): Promise<Uint8Array> {
  const part = new Uint8Array(Math.max(0, Math.min(length, file.size() - at)));
  if (part.length > 0) await readFully(file, at, part, io);
  return part;
}
