import { setBits } from '../../bitmaps/bits.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { type Bitmap, isAllOnes, putBitmapCluster, tableEntries } from '../../layout/bitmap.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';
import type { Run } from '../space/allocator.ts';
import { clusterOf, readTable } from './bitmap-table.ts';

/** One cluster of bits. */
interface Page {
  readonly index: number;
  /** Its place in the image; `undefined` while it has none. */
  readonly at: number | undefined;
  readonly bits: Uint8Array;
  changed: boolean;
}

/**
 * Sets bits of one stored bitmap in place. The bitmap must be marked in use meanwhile, so that readers ignore it after
 * a crash.
 *
 * One cluster of bits is in memory at a time: it is written once when the runs come in order.
 */
export class BitmapPages {
  readonly #state: ImageState;
  readonly #guard: OverlapGuard;
  readonly #bitmap: Bitmap;
  readonly #table: DataView;
  #page: Page | undefined;
  /** New clusters that the stored table does not name yet. */
  readonly #added: Run[] = [];
  #from = Number.POSITIVE_INFINITY;
  #to = 0;

  private constructor(state: ImageState, guard: OverlapGuard, bitmap: Bitmap, table: DataView) {
    this.#state = state;
    this.#guard = guard;
    this.#bitmap = bitmap;
    this.#table = table;
  }

  static async open(state: ImageState, guard: OverlapGuard, bitmap: Bitmap): Promise<BitmapPages> {
    const { header, geometry } = state.image;
    const needed = tableEntries(header.size, bitmap.granularity, geometry.clusterSize);
    return new BitmapPages(state, guard, bitmap, await readTable(state.file.disk, bitmap, needed));
  }

  /** Marks guest bytes, which are inside the disk, dirty. A promise only when another cluster of bits is needed. */
  add(offset: number, length: number): Promise<void> | undefined {
    const { geometry } = this.#state.image;
    const { granularity } = this.#bitmap;
    if (length === 0) return undefined;
    const pageBits = geometry.clusterSize * 8;
    const bit = Math.floor(offset / granularity);
    const end = Math.ceil((offset + length) / granularity);
    const index = Math.floor(bit / pageBits);
    if (this.#page?.index !== index || end > (index + 1) * pageBits) return this.#addPages(bit, end);
    this.#set(this.#page, bit, end);
    return undefined;
  }

  async #addPages(firstBit: number, end: number): Promise<void> {
    const pageBits = this.#state.image.geometry.clusterSize * 8;
    for (let bit = firstBit; bit < end; ) {
      const index = Math.floor(bit / pageBits);
      const next = Math.min(end, (index + 1) * pageBits);
      if (!isAllOnes(this.#table.getUint32(index * 8 + 4))) this.#set(await this.#open(index), bit, next);
      bit = next;
    }
  }

  #set(page: Page, bit: number, end: number): void {
    const start = page.index * this.#state.image.geometry.clusterSize * 8;
    if (setBits(page.bits, bit - start, end - start)) page.changed = true;
  }

  async #open(index: number): Promise<Page> {
    if (this.#page?.index === index) return this.#page;
    await this.#put();
    const { clusterSize } = this.#state.image.geometry;
    const at = clusterOf(this.#table, index);
    const bits =
      at === 0
        ? new Uint8Array(clusterSize)
        : await readStructure(this.#state.file.disk, { what: 'a bitmap', at, length: clusterSize }, {});
    this.#page = { index, at: at === 0 ? undefined : at, bits, changed: false };
    return this.#page;
  }

  /** Writes the cluster of bits in memory. `end` makes the table name new clusters. */
  async #put(): Promise<void> {
    const page = this.#page;
    this.#page = undefined;
    if (page === undefined || !page.changed) return;
    const { allocator, file, image } = this.#state;
    const { clusterSize } = image.geometry;
    let { at } = page;
    if (at === undefined) {
      const runs = await allocator.allocate(1);
      this.#added.push(...runs);
      at = (runs[0] as Run).cluster * clusterSize;
      this.#guard.claim('a bitmap', at, clusterSize);
      putBitmapCluster(this.#table, page.index, at);
      this.#from = Math.min(this.#from, page.index);
      this.#to = Math.max(this.#to, page.index + 1);
    }
    await file.writeMetadata('a bitmap', at, page.bits);
  }

  /** Writes all that is left. New clusters are counted before the table names them. */
  async end(): Promise<void> {
    await this.#put();
    if (this.#from >= this.#to) return;
    const { file } = this.#state;
    await flushMetadata(this.#state);
    await file.barrier();
    const { buffer } = this.#table;
    const bytes = new Uint8Array(buffer, this.#from * 8, (this.#to - this.#from) * 8);
    this.#added.length = 0; // a failed write may still have reached the image
    await file.writeMetadata('a bitmap', this.#bitmap.tableOffset + this.#from * 8, bytes);
  }

  /** After an error: frees the clusters that the stored table cannot name. */
  async abandon(): Promise<void> {
    const { allocator } = this.#state;
    for (const run of this.#added.splice(0)) await allocator.untake(run).catch(() => {}); // a leak at worst
  }
}
