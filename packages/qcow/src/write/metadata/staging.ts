import { DiskError } from '@diskstack/core';
import { readRefcounts } from '../../check/refcount-table.ts';
import { readImage } from '../../image/image.ts';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';
import { readL1Table } from '../../tables/l1-table.ts';
import { inParallel } from '../async/in-parallel.ts';
import { type HeaderFieldValues, writeHeaderFields } from '../file/header-fields.ts';
import { commit, type WrittenImage } from './commit.ts';

/**
 * A change of the whole image that happens at once: everything that differs is written to new places, the refcounts
 * too, and one write of the header's sector makes all of it the image. A crash leaves the image before, or after.
 */
export class Staging {
  readonly written: WrittenImage;
  readonly #guard: OverlapGuard;
  /** Clusters that nobody refers to after the change. */
  readonly #freed: number[] = [];
  /** Blocks that stand at new places. */
  readonly #moved = new Set<number>();
  /** Blocks that the image has: others are made for this change, and nowhere in the image yet. */
  readonly #known = new Set<number>();

  constructor(written: WrittenImage, guard: OverlapGuard) {
    this.written = written;
    this.#guard = guard;
    for (let index = 0; index < written.refcounts.tableEntries; index++) {
      if (written.refcounts.blockOffset(index) !== 0) this.#known.add(index);
    }
  }

  /** One more reference to each of these clusters. */
  async refer(first: number, count = 1): Promise<void> {
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await this.written.refcounts.add(cluster, 1)) > 1) continue;
      throw new DiskError(
        'ERR_CORRUPT',
        `cluster ${cluster} is in use and has refcount 0; repair the image`,
        {
          offset: cluster * this.written.image.geometry.clusterSize,
        },
      );
    }
  }

  /** One reference less. The cluster is not taken for anything else before the change has happened. */
  async drop(first: number, count = 1): Promise<void> {
    const { refcounts, allocator } = this.written;
    for (let cluster = first; cluster < first + count; cluster++) {
      if ((await refcounts.add(cluster, -1)) !== 0) continue;
      allocator.rest(cluster);
      this.#freed.push(cluster);
    }
  }

  /** Writes a structure to a new place, and answers the byte of it. */
  async write(kind: MetadataKind, bytes: Uint8Array): Promise<number> {
    const { clusterSize } = this.written.image.geometry;
    const cluster = await this.written.allocator.take(Math.ceil(bytes.length / clusterSize));
    const at = cluster * clusterSize;
    this.written.tables.l2.forget(at); // a table may have stood there before
    this.#guard.claim(kind, at, bytes.length);
    await this.written.file.writeMetadata(kind, at, bytes);
    return at;
  }

  /** Everything is prepared: the refcounts go to new places, and the header is switched. */
  async switch(fields: HeaderFieldValues): Promise<void> {
    const { written } = this;
    const { file, refcounts, image } = written;
    const { clusterSize } = image.geometry;
    const { table } = refcounts;
    const cluster = await written.allocator.take(
      Math.max(table.placedBytes, table.view.byteLength) / clusterSize,
    );
    await this.drop(table.at / clusterSize, table.placedBytes / clusterSize);
    refcounts.moveTable(cluster * clusterSize);
    await this.#moveBlocks();
    const blocks = refcounts.blocks.take();
    try {
      await inParallel(blocks, ({ table: block, from, bytes }) =>
        file.writeMetadata('a refcount block', block.at + from, bytes),
      );
      const { view } = table;
      const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
      await file.writeMetadata('the refcount table', table.at, bytes);
      await file.barrier();
      written.image = await writeHeaderFields(file, image, {
        ...fields,
        refcountTableOffset: table.at,
        refcountTableClusters: table.placedBytes / clusterSize,
      });
      await file.barrier();
    } finally {
      refcounts.blocks.done(blocks);
    }
    table.moved = false;
    table.from = table.to;
    this.#free();
  }

  /** Every block that has changed gets a new place; that changes blocks again, until all of them have one. */
  async #moveBlocks(): Promise<void> {
    const { refcounts, allocator, image } = this.written;
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
    const { refcounts } = this.written;
    for (let index = 0; index < refcounts.tableEntries; index++) {
      const at = refcounts.blockOffset(index);
      if (at === 0 || !this.#known.has(index) || this.#moved.has(index)) continue;
      if (refcounts.blocks.isDirty(at)) return index;
    }
    return undefined;
  }

  /** What is free now can be taken as soon as nobody reads from it. */
  #free(): void {
    const { allocator, forgetCompressed } = this.written;
    for (const cluster of this.#freed) this.#guard.drop(cluster);
    const wake = (): void => {
      forgetCompressed();
      allocator.wake(this.#freed);
    };
    const reads = this.written.readsOver();
    if (reads === undefined) wake();
    else void reads.then(wake);
  }
}

/**
 * Changes the image as a whole: `change` prepares, and ends with `switch`. When it fails, the image has the truth, and
 * everything in memory is read from it again.
 */
export async function stage<T>(
  written: WrittenImage,
  guard: OverlapGuard,
  change: (staging: Staging) => Promise<T>,
): Promise<T> {
  await commit(written);
  await written.file.barrier();
  return await written.allocator.mutex.run(async () => {
    const staging = new Staging(written, guard);
    try {
      return await change(staging);
    } catch (error) {
      await reload(written).catch((cause: unknown) => {
        const reason = 'the image could not be read again after an error; close it and open it anew';
        written.broken = new DiskError('ERR_READ_ONLY', reason, { cause });
      });
      throw error;
    }
  });
}

/** Reads everything that is held in memory from the image again. */
export async function reload(written: WrittenImage): Promise<void> {
  const { file, refcounts, tables, allocator } = written;
  const { limits } = written.image;
  const image = await readImage(file.disk, limits, {});
  const { l1TableOffset, l1Size } = image.header;
  const l1 = await readL1Table(file.disk, l1TableOffset, l1Size, limits, {});
  refcounts.reset(await readRefcounts(image, {}));
  tables.replaceL1(l1.view, l1.at);
  allocator.reset();
  written.image = image;
  await written.reclaim();
}
