import { DiskError } from '@diskstack/core';
import type { WriteEngine } from '@diskstack/core/format';
import { readRefcounts } from '../../check/refcount-table.ts';
import { type QcowImage, readImage } from '../../image/image.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readSnapshots } from '../../snapshots/snapshot-table.ts';
import { readL1Table } from '../../tables/l1-table.ts';
import { type HeaderFieldValues, writeHeaderFields } from '../file/header-fields.ts';
import type { ImageFile } from '../file/image-file.ts';
import type { Allocator } from '../space/allocator.ts';
import type { Refcounts } from '../space/refcounts.ts';
import type { ActiveTables } from './active-tables.ts';
import { claimMetadata } from './claim-metadata.ts';

/** The parts of a new `ImageState`. */
export interface ImageStateParts {
  readonly image: QcowImage;
  readonly file: ImageFile;
  readonly guard: OverlapGuard;
  readonly refcounts: Refcounts;
  readonly allocator: Allocator;
  readonly tables: ActiveTables;
  /** Why the refcounts cannot be used: nothing is written before they are repaired. */
  readonly uncounted: DiskError | undefined;
  /** An L2 table overlaps other metadata: nothing is written before that is repaired. */
  readonly overlap: DiskError | undefined;
}

/** The image as its writer knows it: the stored header, the metadata in memory, and what forbids writing. */
export class ImageState {
  readonly file: ImageFile;
  readonly refcounts: Refcounts;
  readonly allocator: Allocator;
  readonly tables: ActiveTables;
  readonly #guard: OverlapGuard;
  #image: QcowImage;
  /** Set when the metadata in memory may differ from the image, and could not be read again. */
  #broken: DiskError | undefined;
  #uncounted: DiskError | undefined;
  #overlap: DiskError | undefined;
  #engine: Pick<WriteEngine, 'readsOver' | 'forgetCompressed'> | undefined;

  constructor({ image, file, guard, refcounts, allocator, tables, uncounted, overlap }: ImageStateParts) {
    this.#image = image;
    this.file = file;
    this.#guard = guard;
    this.refcounts = refcounts;
    this.allocator = allocator;
    this.tables = tables;
    this.#uncounted = uncounted;
    this.#overlap = overlap;
  }

  /** The head of the image as it is stored now. */
  get image(): QcowImage {
    return this.#image;
  }

  /** Why nothing may be written; `undefined` when writing is possible. */
  get problem(): DiskError | undefined {
    return this.#broken ?? this.#uncounted ?? this.#overlap;
  }

  /** The engine knows which reads are in flight, and caches decompressed clusters. */
  attach(engine: WriteEngine): void {
    this.#engine = engine;
  }

  /** Throws when the metadata in memory cannot be trusted. */
  checkIntact(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** Writes fields of the header. */
  async writeHeader(fields: HeaderFieldValues): Promise<void> {
    this.#image = await writeHeaderFields(this.file, this.#image, fields);
  }

  /** Reads the head of the image again, after the first cluster was rewritten. */
  async readHeader(): Promise<void> {
    this.#image = await readImage(this.file.disk, this.#image.limits, {});
  }

  /** The image has refcounts that can be used. */
  markCounted(): void {
    this.#uncounted = undefined;
  }

  /** Clusters that may have held compressed data were freed or rewritten. */
  forgetCompressed(): void {
    this.#engine?.forgetCompressed();
  }

  /**
   * Lets freed clusters be allocated again, once all reads in flight have finished: one of them may read from there.
   */
  releaseAfterReads(clusters: readonly number[]): void {
    const release = (): void => {
      this.forgetCompressed();
      this.allocator.release(clusters);
    };
    const reads = this.#engine?.readsOver();
    if (reads === undefined) release();
    else void reads.then(release);
  }

  /** Finds out again where all metadata is, for the guard. */
  async reclaimMetadata(): Promise<void> {
    const { header, limits } = this.#image;
    const snapshots = await readSnapshots(this.file.disk, header, limits, {});
    this.#guard.clear();
    this.refcounts.claimPlaces();
    const sources = { image: this.#image, l1: this.tables.l1, snapshots };
    this.#overlap = await claimMetadata(sources, this.#guard, {});
  }

  /** Reads all metadata from the image again. */
  async reload(): Promise<void> {
    const { disk } = this.file;
    const { limits } = this.#image;
    const image = await readImage(disk, limits, {});
    const { l1TableOffset, l1Size } = image.header;
    const l1 = await readL1Table(disk, l1TableOffset, l1Size, limits, {});
    this.refcounts.reset(await readRefcounts(image, {}));
    this.tables.replaceL1(l1.view, l1.at);
    this.allocator.reset();
    this.#image = image;
    await this.reclaimMetadata();
  }

  /** Reads all metadata again after a failed change. When even that fails, nothing is written any more. */
  async recover(): Promise<void> {
    try {
      await this.reload();
    } catch (cause) {
      const reason = 'the image could not be read again after an error; close it and open it again';
      this.#broken = new DiskError('ERR_READ_ONLY', reason, { cause });
    }
  }
}
