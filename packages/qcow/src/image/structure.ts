import { DiskError, type DiskModule, type Io, readFully } from '@diskstack/core';

/** Where a structure of an image is, and what to call it. */
export interface StructurePlace {
  /** As in `an L1 table`. */
  readonly what: string;
  readonly at: number;
  /** Bytes; held against a limit by whoever asks. */
  readonly length: number;
  /** Byte of the field that names the place, for errors. The place itself without one. */
  readonly fieldAt?: number;
}

/** The bytes of a structure, whole: `ERR_TRUNCATED`, before anything is allocated, where the file ends before it does. */
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

/** The bytes of a range, as many as the file has of it. A read that gives fewer than those is an error, never a short file. */
export async function readPart(file: DiskModule, at: number, length: number, io: Io): Promise<Uint8Array> {
  const part = new Uint8Array(Math.max(0, Math.min(length, file.size() - at)));
  if (part.length > 0) await readFully(file, at, part, io);
  return part;
}
