import { DiskError, quote } from '@diskstack/core';
import { decodeThinSuperblock, type ThinSuperblock } from '../layout/thin-superblock.ts';
import { numberOf, textOf } from '../metadata/config.ts';
import { findInTree, valueNumber } from '../persistent-data/btree.ts';
import { MetadataBlocks } from '../persistent-data/metadata-blocks.ts';
import type { SegmentContext } from '../segment-type.ts';
import type { Target } from '../targets/target.ts';

/** A thin pool: the blocks of its volumes, and the trees that say where they are. One for all volumes of the pool. */
export interface ThinPool {
  readonly data: Target;
  readonly blocks: MetadataBlocks;
  readonly superblock: ThinSuperblock;
  /** Root of the mappings of one device. */
  rootOf(deviceId: number): Promise<number>;
}

/** lvm2 `lib/thin/thin.c`: the segment of a volume of the type `thin-pool`. */
export async function openThinPool(name: string, context: SegmentContext): Promise<ThinPool> {
  const [segment] = context.model(name).segments;
  if (segment?.type !== 'thin-pool')
    throw new DiskError('ERR_CORRUPT', `a thin volume in ${segment?.type ?? 'nothing'}, not in a thin pool`);
  const metadata = await context.volume(textOf(segment.fields, 'metadata'));
  const data = await context.volume(textOf(segment.fields, 'pool'));
  const pool = context.once(`pool ${name}`, () => {
    const blocks = new MetadataBlocks(metadata, context.reader, context.limits);
    return { blocks, superblock: blocks.block(0).then(decodeThinSuperblock) };
  });
  const superblock = await pool.superblock;
  const { needsCheck, transactionId } = superblock;
  if (needsCheck)
    context.warn(
      `the thin pool ${quote(name)} is marked as in need of a check: its last writes may be lost (thin_check, thin_repair)`,
    );
  const expected = numberOf(segment.fields, 'transaction_id', transactionId);
  // A message to the pool that is noted in the volume group and not sent yet makes a difference of 1.
  if (transactionId !== expected && transactionId + 1 !== expected)
    context.warn(
      `the thin pool ${quote(name)} is at transaction ${transactionId}, its volume group at ${expected}: one of them is a copy of another time`,
    );
  return {
    data,
    blocks: pool.blocks,
    superblock,
    async rootOf(deviceId) {
      const { leaf, index } = await findInTree(pool.blocks, superblock.dataMappingRoot, deviceId);
      if (leaf?.keys[index] === deviceId) return valueNumber(leaf, index);
      throw new DiskError('ERR_CORRUPT', `the thin pool has no device ${deviceId}`);
    },
  };
}
