import { bytes, offset64, struct, u32 } from '@diskstack/core/format';

/** Placeholder: replace it by the magic number of the specification. */
export const MAGIC: readonly number[] = [0x74, 0x68, 0x65, 0x2d, 0x6e, 0x61, 0x6d, 0x65];

/** Name the specification and its section here. Fields are in file order and have the names of the specification. */
export const TABLE = struct('little', {
  magic: bytes(8),
  entryCount: u32,
});

/** One entry of the table. Offsets and sizes are bytes. */
export const ENTRY = struct('little', {
  start: offset64,
  size: offset64,
});
