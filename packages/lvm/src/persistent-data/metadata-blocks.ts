import { DiskError, type Limits } from '@diskstack/core';
import { LoadingCache, type MaybePromise } from '@diskstack/core/format';
import { type BtreeNode, decodeBtreeNode } from '../layout/btree-node.ts';
import { METADATA_BLOCK } from '../layout/thin-superblock.ts';
import type { Target } from '../targets/target.ts';
import type { TargetReader } from '../targets/target-reader.ts';

/** The smallest cache: a few paths from a root to a leaf. */
const MIN_CACHE_BYTES = 64 * METADATA_BLOCK;

/** The blocks of a metadata volume of device-mapper (Linux `drivers/md/persistent-data`), with a bounded cache of B-tree nodes. */
export class MetadataBlocks {
  readonly #target: Target;
  readonly #reader: TargetReader;
  readonly #nodes: LoadingCache<BtreeNode>;

  constructor(target: Target, reader: TargetReader, { tableCacheBytes }: Limits) {
    this.#target = target;
    this.#reader = reader;
    this.#nodes = new LoadingCache(Math.max(MIN_CACHE_BYTES, tableCacheBytes));
  }

  async block(number: number): Promise<Uint8Array> {
    const at = number * METADATA_BLOCK;
    if (at + METADATA_BLOCK > this.#target.size) {
      const reason = `metadata block ${number} is needed, but the metadata volume has ${Math.floor(this.#target.size / METADATA_BLOCK)} blocks`;
      throw new DiskError('ERR_CORRUPT', reason);
    }
    const block = new Uint8Array(METADATA_BLOCK);
    await this.#reader.read(this.#target, at, block);
    return block;
  }

  /** A B-tree node. Returns no promise if it is cached. */
  node(number: number): MaybePromise<BtreeNode> {
    return this.#nodes.peek(number) ?? this.#nodes.loading(number) ?? this.#load(number);
  }

  #load(number: number): Promise<BtreeNode> {
    const loading = this.block(number).then((block) => decodeBtreeNode(block, number));
    return this.#nodes.adopt(number, loading, METADATA_BLOCK + METADATA_BLOCK / 2); // the block, and its keys as numbers
  }
}
