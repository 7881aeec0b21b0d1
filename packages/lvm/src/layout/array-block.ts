import { DiskError, hex } from '@diskstack/core';
import { offset64, struct, u32 } from '@diskstack/core/format';
import { DM_BLOCK_SALT, dmBlockChecksum } from './checksum.ts';
import { METADATA_BLOCK } from './thin-superblock.ts';

/** Linux `drivers/md/persistent-data/dm-array.c`, `struct array_block`. */
const ARRAY_BLOCK = struct('little', {
  csum: u32,
  maxEntries: u32,
  nrEntries: u32,
  valueSize: u32,
  blocknr: offset64,
});

/** Decodes the 64-bit values of one block of an array. `blocknr` is the number of the block that was read. */
export function decodeArrayBlock(
  block: Uint8Array,
  blocknr: number,
): { readonly entries: number; readonly view: DataView } {
  const at = blocknr * METADATA_BLOCK;
  const corrupt = (reason: string) =>
    new DiskError('ERR_CORRUPT', `metadata block ${blocknr}: ${reason}`, { offset: at });
  const { csum, maxEntries, nrEntries, valueSize, blocknr: recorded } = ARRAY_BLOCK.decode(block, at);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.arrayBlock);
  if (found !== csum)
    throw corrupt(`the array block has the checksum ${hex(found)}, but it records ${hex(csum)}`);
  if (recorded !== blocknr) throw corrupt(`the array block records that it is block ${recorded}`);
  if (valueSize !== 8 || nrEntries > maxEntries || maxEntries > (block.length - ARRAY_BLOCK.size) / 8) {
    throw corrupt(
      `the array block has ${nrEntries} entries of ${valueSize} bytes; it says that at most ${maxEntries} fit`,
    );
  }
  return {
    entries: nrEntries,
    view: new DataView(block.buffer, block.byteOffset + ARRAY_BLOCK.size, nrEntries * 8),
  };
}
