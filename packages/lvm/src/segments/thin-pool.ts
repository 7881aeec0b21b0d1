import { DiskError, quote } from '@diskstack/core';
import { decodeThinSuperblock, type ThinSuperblock } from '../layout/thin-superblock.ts';
import { numberOf, textOf } from '../metadata/config.ts';
import { findInTree, valueNumber } from '../persistent-data/btree.ts';
import { MetadataBlocks } from '../persistent-data/metadata-blocks.ts';
import type { SegmentContext } from '../segment-type.ts';
import type { Target } from '../targets/target.ts';

/** A thin pool: the data blocks of its volumes, and the metadata that maps them. All volumes of a pool share one. */
export interface ThinPool {
  readonly data: Target;
  readonly blocks: MetadataBlocks;
  readonly superblock: ThinSuperblock;
  /** The root block of the mappings of a device. */
  rootOf(deviceId: number): Promise<number>;
}

/** lvm2 `lib/thin/thin.c`: opens the volume `name`, which must be of type `thin-pool`. */
export async function openThinPool(name: string, context: SegmentContext): Promise<ThinPool> {
  const [segment] = context.model(name).segments;
  if (segment?.type !== 'thin-pool')
    throw new DiskError(
      'ERR_CORRUPT',
      `the pool of the thin volume is of type ${quote(segment?.type ?? 'nothing')}, not thin-pool`,
    );
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
      `the thin pool ${quote(name)} is marked needs_check: its last writes may be lost; run thin_check or thin_repair`,
    );
  const expected = numberOf(segment.fields, 'transaction_id', transactionId);
  // The volume group is one ahead while it has recorded a message to the pool that is not sent yet.
  if (transactionId !== expected && transactionId + 1 !== expected)
    context.warn(
      `the thin pool ${quote(name)} is at transaction ${transactionId}, but its volume group records ${expected}: they are from different times`,
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
