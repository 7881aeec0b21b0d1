import { DiskError, hex } from '@diskstack/core';
import { joinHalves, offset64, struct, u32 } from '@diskstack/core/format';
import { DM_BLOCK_SALT, dmBlockChecksum } from './checksum.ts';
import { METADATA_BLOCK } from './thin-superblock.ts';

/** Linux `drivers/md/persistent-data/dm-btree-internal.h`, `struct node_header`. */
const NODE_HEADER = struct('little', {
  csum: u32,
  flags: u32,
  blocknr: offset64,
  nrEntries: u32,
  maxEntries: u32,
  valueSize: u32,
  padding: u32,
});

const INTERNAL_NODE = 1;
const LEAF_NODE = 2;
const KEY_BYTES = 8;

/** A node of a B-tree: ascending keys, each with a value. The values of an internal node are block numbers of its children. */
export interface BtreeNode {
  readonly isLeaf: boolean;
  readonly keys: Float64Array;
  /** The high and the low 32 bits of value number `index`. */
  valueHi(index: number): number;
  valueLo(index: number): number;
}

/** Decodes a node of a tree with 64-bit values. `blocknr` is the number of the block that was read. */
export function decodeBtreeNode(block: Uint8Array, blocknr: number): BtreeNode {
  const at = blocknr * METADATA_BLOCK;
  const corrupt = (reason: string) =>
    new DiskError('ERR_CORRUPT', `metadata block ${blocknr}: ${reason}`, { offset: at });
  const { csum, flags, blocknr: recorded, nrEntries, maxEntries, valueSize } = NODE_HEADER.decode(block, at);
  const found = dmBlockChecksum(block, DM_BLOCK_SALT.btreeNode);
  if (found !== csum)
    throw corrupt(`the B-tree node has the checksum ${hex(found)}, but it records ${hex(csum)}`);
  if (recorded !== blocknr) throw corrupt(`the B-tree node records that it is block ${recorded}`);
  const isLeaf = (flags & LEAF_NODE) !== 0;
  if (isLeaf === ((flags & INTERNAL_NODE) !== 0))
    throw corrupt(
      `the B-tree node has the flags ${hex(flags)}, which are neither a leaf nor an internal node`,
    );
  const room = (block.length - NODE_HEADER.size) / (KEY_BYTES + 8);
  if (valueSize !== 8 || maxEntries > room || nrEntries > maxEntries) {
    throw corrupt(
      `the B-tree node has ${nrEntries} values of ${valueSize} bytes; it says that at most ${maxEntries} fit`,
    );
  }
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const keys = new Float64Array(nrEntries);
  let last = -1;
  for (let index = 0; index < nrEntries; index++) {
    const keyAt = NODE_HEADER.size + index * KEY_BYTES;
    const key = joinHalves(view.getUint32(keyAt + 4, true), view.getUint32(keyAt, true));
    if (key === undefined || key <= last)
      throw corrupt(`key ${index} of the B-tree node is not larger than the previous key`);
    keys[index] = key;
    last = key;
  }
  const valuesAt = NODE_HEADER.size + maxEntries * KEY_BYTES;
  return {
    isLeaf,
    keys,
    valueHi: (index) => view.getUint32(valuesAt + index * 8 + 4, true),
    valueLo: (index) => view.getUint32(valuesAt + index * 8, true),
  };
}
