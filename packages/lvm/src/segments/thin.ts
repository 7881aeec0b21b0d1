import { DiskError, type Io } from '@diskstack/core';
import type { ExtentList } from '@diskstack/core/format';
import { numberOf, optionalTextOf, textOf } from '../metadata/config.ts';
import { findInTree, type TreePlace } from '../persistent-data/btree.ts';
import type { SegmentType } from '../segment-type.ts';
import { inPieces, type Target } from '../targets/target.ts';
import { openThinPool, type ThinPool } from './thin-pool.ts';

/**
 * lvm2 `lib/thin/thin.c`: blocks of a pool, found in a B-tree. An unmapped block reads from the external origin, or as
 * zeroes. A snapshot of a thin volume is another device of the pool, whose tree shares nodes.
 */
export const thin: SegmentType = {
  names: ['thin'],
  async open({ fields }, size, context) {
    const pool = await openThinPool(textOf(fields, 'thin_pool'), context);
    const origin = optionalTextOf(fields, 'external_origin');
    const root = await pool.rootOf(numberOf(fields, 'device_id'));
    return new ThinTarget(size, pool, root, origin === undefined ? undefined : await context.volume(origin));
  },
};

class ThinTarget implements Target {
  readonly size: number;
  readonly #pool: ThinPool;
  readonly #root: number;
  readonly #origin: Target | undefined;

  constructor(size: number, pool: ThinPool, root: number, origin: Target | undefined) {
    this.size = size;
    this.#pool = pool;
    this.#root = root;
    this.#origin = origin;
  }

  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined {
    const { blocks, superblock } = this.#pool;
    return inPieces(offset, length, extents, (at, left) => {
      const place = findInTree(blocks, this.#root, Math.floor(at / superblock.dataBlockBytes));
      if (place instanceof Promise) return place.then((found) => this.#inLeaf(found, at, left, extents, io));
      return this.#inLeaf(place, at, left, extents, io);
    });
  }

  /** Translates the part of the range that one leaf covers. */
  #inLeaf(
    place: TreePlace,
    offset: number,
    length: number,
    extents: ExtentList,
    io: Io,
  ): Promise<void> | undefined {
    const { dataBlockBytes: blockBytes } = this.#pool.superblock;
    const { leaf, end } = place;
    let { index } = place;
    return inPieces(offset, Math.min(length, end * blockBytes - offset), extents, (at, left) => {
      const inBlock = at % blockBytes;
      const block = (at - inBlock) / blockBytes;
      while (leaf !== undefined && (leaf.keys[index] ?? block) < block) index++;
      const next = leaf?.keys[index];
      if (leaf === undefined || next === undefined) return this.#unmapped(at, left, extents, io);
      if (next > block) return this.#unmapped(at, Math.min(left, next * blockBytes - at), extents, io);
      const stored = mappedBlock(leaf.valueHi(index), leaf.valueLo(index)) * blockBytes;
      const { data } = this.#pool;
      const run = Math.min(left, blockBytes - inBlock);
      if (stored + inBlock + run > data.size) {
        const reason = `block ${block} of the thin volume is at byte ${stored} of the pool, which has ${data.size} bytes`;
        throw new DiskError('ERR_CORRUPT', reason);
      }
      return data.translate(stored + inBlock, run, extents, io);
    });
  }

  #unmapped(at: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined {
    const left = (this.#origin?.size ?? 0) - at;
    if (this.#origin !== undefined && left > 0)
      return this.#origin.translate(at, Math.min(length, left), extents, io);
    extents.zero(length);
    return undefined;
  }
}

/** A mapping: the upper 40 bits are the block of the pool, the lower 24 its creation time. */
function mappedBlock(hi: number, lo: number): number {
  return hi * 256 + (lo >>> 24);
}
