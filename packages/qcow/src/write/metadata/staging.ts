import { DiskError } from '@diskstack/core';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';
import type { HeaderFieldValues } from '../file/header-fields.ts';
import { flushMetadata } from './flush-metadata.ts';
import type { ImageState } from './image-state.ts';
import { tablePlace, writeBlocks } from './write-refcounts.ts';

/**
 * An atomic change of the whole image. Everything that differs is written to new places, the refcounts included. Then
 * one write of the header's sector switches to the new image. A crash leaves the old image or the new one.
 */
export class Staging {
  readonly state: ImageState;
  readonly #guard: OverlapGuard;
  /** Clusters without references after the change. */
  readonly #freed: number[] = [];
  /** Refcount blocks that have a new place. */
  readonly #moved = new Set<number>();
  /** Refcount blocks that the stored image has. Others are new, and need not move. */
  readonly #known = new Set<number>();

  constructor(state: ImageState, guard: OverlapGuard) {
    this.state = state;
    this.#guard = guard;
    for (let index = 0; index < state.refcounts.tableEntries; index++) {
      if (state.refcounts.blockOffset(index) !== 0) this.#known.add(index);
    }
  }

  /** Adds one reference to each of these clusters. */
  async refer(first: number, count = 1): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await this.state.refcounts.add(cluster, 1)) > 1) continue;
      throw new DiskError(
        'ERR_CORRUPT',
        `cluster ${cluster} is in use and has refcount 0; repair the image`,
        {
          offset: cluster * this.state.image.geometry.clusterSize,
        },
      );
    }
  }

  /** Removes one reference. A cluster that becomes free is not reused before the switch. */
  async drop(first: number, count = 1): Promise<void> {
    const { refcounts, allocator } = this.state;
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await refcounts.add(cluster, -1)) !== 0) continue;
      allocator.quarantine(cluster);
      this.#freed.push(cluster);
    }
  }

  /** Writes a structure to a new place, and returns its first byte. */
  async write(kind: MetadataKind, bytes: Uint8Array): Promise<number> {
    const { clusterSize } = this.state.image.geometry;
    const cluster = await this.state.allocator.take(Math.ceil(bytes.length / clusterSize));
    const at = cluster * clusterSize;
    this.state.tables.l2.forget(at); // the cluster may have held an L2 table before
    this.#guard.claim(kind, at, bytes.length);
    await this.state.file.writeMetadata(kind, at, bytes);
    return at;
  }

  /** Writes the refcounts to new places, then switches the header. Everything else has been written before. */
  async switch(fields: HeaderFieldValues): Promise<void> {
    const { state } = this;
    const { file, refcounts, image } = state;
    const { clusterSize } = image.geometry;
    const { table } = refcounts;
    const cluster = await state.allocator.take(Math.max(table.placedBytes, table.entries * 8) / clusterSize);
    await this.drop(table.at / clusterSize, table.placedBytes / clusterSize);
    refcounts.moveTable(cluster * clusterSize);
    await this.#moveBlocks();
    const blocks = refcounts.blocks.take();
    try {
      await writeBlocks(file, blocks);
      await file.writeMetadata('the refcount table', table.at, table.bytes());
      await file.barrier();
      await state.writeHeader({ ...fields, ...tablePlace(table, image.geometry) });
      await file.barrier();
    } finally {
      refcounts.blocks.done(blocks);
    }
    table.stored();
    for (const freed of this.#freed) this.#guard.drop(freed);
    state.releaseAfterReads(this.#freed);
  }

  /** Moves every changed refcount block. Each move changes blocks again, so this repeats until all have moved. */
  async #moveBlocks(): Promise<void> {
    const { refcounts, allocator, image } = this.state;
    const { clusterSize } = image.geometry;
    for (;;) {
      const next = this.#nextBlock();
      if (next === undefined) return;
      const cluster = await allocator.take(1);
      const found = refcounts.block(next);
      const block = found instanceof Promise ? await found : found;
      if (block === undefined) continue;
      const old = block.at;
      refcounts.moveBlock(next, block, cluster * clusterSize);
      this.#moved.add(next);
      await this.drop(old / clusterSize);
    }
  }

  #nextBlock(): number | undefined {
    const { refcounts } = this.state;
    for (let index = 0; index < refcounts.tableEntries; index++) {
      const at = refcounts.blockOffset(index);
      if (at === 0 || !this.#known.has(index) || this.#moved.has(index)) continue;
      if (refcounts.blocks.isDirty(at)) return index;
    }
    return undefined;
  }
}

/**
 * Runs an atomic change of the image: `change` writes the new structures and ends with `switch`. When it fails, all
 * metadata in memory is read again: the on-disk image is authoritative.
 */
export async function stage<T>(
  state: ImageState,
  guard: OverlapGuard,
  change: (staging: Staging) => Promise<T>,
): Promise<T> {
  await flushMetadata(state);
  await state.file.barrier();
  return await state.allocator.mutex.run(async () => {
    const staging = new Staging(state, guard);
    try {
      return await change(staging);
    } catch (error) {
      await state.recover();
      throw error;
    }
  });
}
