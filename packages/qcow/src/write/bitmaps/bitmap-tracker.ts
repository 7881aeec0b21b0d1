import { breathe } from '@diskstack/core/format';
import { readBitmapsIfSound } from '../../bitmaps/directory.ts';
import { DirtyBits } from '../../bitmaps/dirty-bits.ts';
import type { Bitmap } from '../../layout/bitmap.ts';
import { type BitmapContext, unmarkInUse } from './bitmap-changes.ts';
import { BitmapPages } from './bitmap-pages.ts';
import { isSound } from './bitmap-table.ts';
import { hasBitmaps, markInUse, readDirectory } from './directory.ts';
import { checkBitmapSizes, fitBitmaps } from './fit-bitmaps.ts';

/** A bitmap of a smaller granularity gets whole sectors, as in qemu. */
const MIN_GRANULARITY = 512;

/**
 * Keeps the enabled bitmaps of an image up to date while it is written. qcow2 spec, "Bitmaps extension", flags `in_use`
 * and `auto`.
 *
 * The bitmaps are marked in use before the first change of guest bytes. From then on changes are recorded in memory, in
 * one set of bits of the smallest granularity. `store` adds these bits to each bitmap and removes the marks. A crash in
 * between leaves the marks, so that readers ignore the incomplete bitmaps. Bitmaps that were in use before, or cannot
 * be read, stay in use.
 */
export class BitmapTracker {
  readonly #context: BitmapContext;
  /** Directory indexes of the bitmaps that this tracker has marked in use and will store. */
  readonly #held = new Set<number>();
  /** Size of the guest disk when the bitmaps were marked. */
  #heldSize = 0;
  /** Guest bytes that have changed since then. */
  #bits: DirtyBits | undefined;
  /** False when no bitmap is enabled. */
  #mayTrack: boolean;
  #beginning: Promise<void> | undefined;
  #list: readonly Bitmap[] | undefined;

  constructor(context: BitmapContext) {
    this.#context = context;
    this.#mayTrack = hasBitmaps(context.state.image);
  }

  /** The current bitmaps, including changes in memory; `undefined` while nothing has changed them. */
  get list(): readonly Bitmap[] | undefined {
    return this.#list;
  }

  /** Changes in memory that belong to a bitmap beside its stored bits. */
  changesOf(bitmap: Bitmap): DirtyBits | undefined {
    const index = this.#list?.indexOf(bitmap) ?? -1;
    return bitmap.auto && this.#held.has(index) ? this.#bits : undefined;
  }

  /** Records that guest bytes are about to change. A promise only for the first change. */
  record(offset: number, length: number): Promise<void> | undefined {
    if (this.#bits !== undefined) this.#bits.add(offset, length);
    else if (this.#mayTrack) return this.#begin().then(() => this.#bits?.add(offset, length));
    return undefined;
  }

  /** Records the ranges that `find` reports. `find` is not called when no bitmap is enabled. */
  async recordAll(find: (record: (offset: number, length: number) => void) => Promise<void>): Promise<void> {
    if (this.#bits === undefined && this.#mayTrack) await this.#begin();
    const bits = this.#bits;
    if (bits !== undefined) await find((offset, length) => bits.add(offset, length));
  }

  #begin(): Promise<void> {
    this.#beginning ??= this.#mark(false).finally(() => {
      this.#beginning = undefined;
    });
    return this.#beginning;
  }

  /** Marks the enabled bitmaps in use. `all`: also disabled ones, because the size of the disk changes. */
  async #mark(all: boolean): Promise<void> {
    const { image, file } = this.#context.state;
    const { entries } = await readDirectory(image);
    this.#heldSize = image.header.size;
    let granularity = Number.POSITIVE_INFINITY;
    for (const [index, entry] of entries.entries()) {
      const { bitmap } = entry;
      if (!this.#held.has(index)) {
        if (bitmap.inUse || !(bitmap.auto || all)) continue;
        const isKept = await isSound(image, bitmap);
        await markInUse(file, entry, true);
        if (!isKept) continue;
        this.#held.add(index);
      }
      if (bitmap.auto) granularity = Math.min(granularity, bitmap.granularity);
    }
    await file.barrier();
    this.#mayTrack = Number.isFinite(granularity);
    if (this.#mayTrack) this.#bits = new DirtyBits(Math.max(MIN_GRANULARITY, granularity));
    await this.#read();
  }

  /** Writes the recorded changes to the bitmaps. Then the image is consistent without this tracker. */
  async store(): Promise<void> {
    if (this.#held.size === 0) return;
    const { state } = this.#context;
    await fitBitmaps(this.#context, this.#heldSize, (index) => this.#held.has(index));
    const { entries } = await readDirectory(state.image);
    const held = entries.filter((_, index) => this.#held.has(index));
    for (const { bitmap } of held) if (bitmap.auto) await this.#put(bitmap);
    try {
      await unmarkInUse(this.#context, held);
    } finally {
      // After an error some bitmaps are still marked. Those that are not are complete.
      await this.#reset();
    }
  }

  async #put(bitmap: Bitmap): Promise<void> {
    const { state, guard } = this.#context;
    if (this.#bits === undefined || this.#bits.isEmpty) return;
    const pages = await BitmapPages.open(state, guard, bitmap);
    try {
      for (const { offset, length } of this.#bits.runs(0, state.image.header.size)) {
        const waiting = pages.add(offset, length) ?? breathe();
        if (waiting !== undefined) await waiting;
      }
      await pages.end();
    } catch (error) {
      await pages.abandon();
      throw error;
    }
  }

  /** Runs work that may resize the disk to `size`, then fits the tables of all bitmaps to the resulting size. */
  async whileResized(size: number, work: () => Promise<void>): Promise<void> {
    const { image } = this.#context.state;
    if (size === image.header.size || !hasBitmaps(image)) return await work();
    await checkBitmapSizes(this.#context, size);
    await this.store();
    await this.#mark(true);
    try {
      await work();
    } catch (error) {
      await this.store().catch(() => {}); // then they stay in use, and readers ignore them
      throw error;
    }
    await this.store();
  }

  /** Runs work that changes the bitmaps themselves. */
  async whileChanged(work: () => Promise<void>): Promise<void> {
    await this.store();
    try {
      await work();
    } finally {
      await this.#reset();
    }
  }

  async #reset(): Promise<void> {
    this.#held.clear();
    this.#bits = undefined;
    this.#mayTrack = hasBitmaps(this.#context.state.image);
    await this.#read();
  }

  async #read(): Promise<void> {
    const { bitmaps } = await readBitmapsIfSound(this.#context.state.image, {});
    this.#list = bitmaps.map((bitmap, index) =>
      this.#held.has(index) ? { ...bitmap, inUse: false } : bitmap,
    );
  }
}
