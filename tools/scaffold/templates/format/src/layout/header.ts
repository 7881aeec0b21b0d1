import { bytes, offset64, struct } from '@diskstack/core/format';

/** Placeholder: replace it by the magic number of the specification. */
export const MAGIC: readonly number[] = [0x74, 0x68, 0x65, 0x2d, 0x6e, 0x61, 0x6d, 0x65];

/** Name the specification and its section here. Fields are in file order and have the names of the specification. */
export const HEADER = struct('little', {
  magic: bytes(8),
  size: offset64,
});
