import { crc32c } from '@diskstack/core/format';

/** Blocks of device-mapper's persistent data, made by hand. */

const SALT = { superblock: 160774, node: 121107 };
export const BLOCK = 4096;

/** Writes the checksum that a block of this kind has. */
export function seal(block: Uint8Array, kind: keyof typeof SALT): Uint8Array {
  const sum = (crc32c(block.subarray(4), 0xffff_ffff, 0) ^ SALT[kind]) >>> 0;
  new DataView(block.buffer, block.byteOffset).setUint32(0, sum, true);
  return block;
}

/** The superblock of a thin pool. */
export function thinSuperblock(root: number, dataBlockSectors: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const view = new DataView(block.buffer);
  view.setBigUint64(32, 27022010n, true);
  view.setUint32(40, 2, true);
  view.setBigUint64(320, BigInt(root), true);
  view.setUint32(336, dataBlockSectors, true);
  view.setUint32(340, 8, true);
  return seal(block, 'superblock');
}

/** A node of keys and values, each of 64 bits. */
export function node(
  blocknr: number,
  kind: 'leaf' | 'internal',
  entries: readonly (readonly [number, bigint])[],
): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const view = new DataView(block.buffer);
  const maxEntries = 252;
  view.setUint32(4, kind === 'leaf' ? 2 : 1, true);
  view.setBigUint64(8, BigInt(blocknr), true);
  view.setUint32(16, entries.length, true);
  view.setUint32(20, maxEntries, true);
  view.setUint32(24, 8, true);
  for (const [index, [key, value]] of entries.entries()) {
    view.setBigUint64(32 + index * 8, BigInt(key), true);
    view.setBigUint64(32 + maxEntries * 8 + index * 8, value, true);
  }
  return seal(block, 'node');
}

/** The value of a mapping to a block of the pool. */
export function mapping(block: number, time = 1): bigint {
  return (BigInt(block) << 24n) | BigInt(time);
}
