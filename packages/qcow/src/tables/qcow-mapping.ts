import {
  type BitmapExtent,
  type BitmapExtentsIo,
  type BitmapInfo,
  type CheckReport,
  DiskError,
  type DiskModule,
  hex,
  type Io,
} from '@diskstack/core';
import {
  type Decompress,
  type ExtentList,
  type Mapping,
  type MappingWriter,
  type MaybePromise,
  type PayloadCipher,
  untilAborted,
} from '@diskstack/core/format';
import type { QcowInfo } from '../describe/info.ts';
import type { Geometry } from '../layout/geometry.ts';
import type { DescribeClusters } from './clusters/describe.ts';
import type { L1Table } from './l1-table.ts';
import type { L2Table, L2Tables } from './l2-tables.ts';

export interface QcowMappingParts {
  /** What the disk reports about itself now. */
  readonly info: () => QcowInfo;
  /** Guest bytes. */
  readonly size: () => number;
  readonly geometry: Geometry;
  readonly base: DiskModule | undefined;
  /** The external data file, which holds the clusters instead of the image. */
  readonly dataFile?: DiskModule | undefined;
  readonly cipher: PayloadCipher | undefined;
  readonly decompress: Decompress;
  readonly l1Table: L1Table;
  readonly l2Tables: L2Tables;
  /** Decodes an L1 entry: see `layout/l1-entry.ts`. */
  readonly l2TableOffset: (hi: number, lo: number) => number;
  /** The offset of an L2 table must be a multiple of this. */
  readonly l2TableAlignment: number;
  readonly describe: DescribeClusters;
  /** Further abilities of versions 2 and 3. */
  readonly metadata?: QcowMetadata;
  /** Present when the image is open for writing. */
  readonly writer?: FlushingWriter | undefined;
}

/** A writer that keeps metadata in memory. */
export interface FlushingWriter extends MappingWriter {
  flush(io: Io): Promise<void>;
}

/** What an image has beside the guest disk. */
export interface QcowMetadata {
  readonly bitmaps: () => readonly BitmapInfo[];
  readonly bitmapExtents: (name: string, io: BitmapExtentsIo) => AsyncIterable<BitmapExtent>;
  readonly check: (io: Io) => Promise<CheckReport>;
}

/** L1 entries in one call: an L2 table that must be read takes about 10 µs. */
const TABLES_TOGETHER = 128;

/** qcow2 spec, "Cluster mapping": from a guest offset through L1 and L2 to where the bytes are. */
export class QcowMapping implements Mapping {
  readonly base: DiskModule | undefined;
  readonly sources: readonly DiskModule[] | undefined;
  readonly cipher: PayloadCipher | undefined;
  readonly codecs: readonly Decompress[];
  /** The last cluster of a file may be incomplete: the rest of it reads as zeroes. */
  readonly slack: number;
  readonly bitmapExtents: Mapping['bitmapExtents'];
  readonly check: Mapping['check'];
  readonly writer: FlushingWriter | undefined;
  readonly #parts: QcowMappingParts;
  /** L1 index of the last table that was read asynchronously. */
  #lastWait = Number.NaN;

  constructor(parts: QcowMappingParts) {
    const { base, dataFile, cipher, decompress, geometry, metadata, writer } = parts;
    this.#parts = parts;
    this.base = base;
    this.sources = dataFile && [dataFile];
    this.cipher = cipher;
    this.codecs = [decompress];
    this.slack = geometry.clusterSize;
    this.bitmapExtents = metadata?.bitmapExtents;
    this.check = metadata?.check;
    this.writer = writer;
  }

  get size(): number {
    return this.#parts.size();
  }

  get info(): QcowInfo {
    return this.#parts.info();
  }

  get bitmaps(): readonly BitmapInfo[] | undefined {
    return this.#parts.metadata?.bitmaps();
  }

  async flush(io: Io): Promise<void> {
    await this.writer?.flush(io);
  }

  translate(offset: number, length: number, extents: ExtentList, io: Io): Promise<void> | undefined {
    const { geometry, describe } = this.#parts;
    const end = offset + length;
    let position = offset;
    for (let tables = 0; position < end && !extents.full && tables < TABLES_TOGETHER; tables++) {
      const l1Index = Math.floor(position / geometry.l2Coverage);
      const tableEnd = Math.min(end, (l1Index + 1) * geometry.l2Coverage);
      const table = this.#l2Table(l1Index);
      if (table === undefined) {
        extents.base(tableEnd - position);
        position = tableEnd;
      } else if (table instanceof Promise) {
        // The extents so far are valid. The caller asks again for the range after this table.
        this.#readAhead(l1Index);
        return untilAborted(table, io.signal).then((loaded) => {
          describe(loaded, position, tableEnd, extents);
        });
      } else {
        position = describe(table, position, tableEnd, extents);
      }
    }
    return undefined;
  }

  /** Sequential reads of an asynchronous storage also start reading the next table. */
  #readAhead(l1Index: number): void {
    const isInOrder = l1Index === this.#lastWait + 1;
    this.#lastWait = l1Index;
    if (!isInOrder || (l1Index + 2) * 8 > this.#parts.l1Table.view.byteLength) return;
    try {
      const next = this.#l2Table(l1Index + 1);
      if (next instanceof Promise) next.catch(() => {}); // the next look-up reports the error
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
    }
  }

  #l2Table(l1Index: number): MaybePromise<L2Table> | undefined {
    const { l1Table, l2Tables, l2TableOffset, l2TableAlignment } = this.#parts;
    const at = l2TableOffset(l1Table.view.getUint32(l1Index * 8), l1Table.view.getUint32(l1Index * 8 + 4));
    if (at === 0) return undefined;
    const entryAt = l1Table.at + l1Index * 8;
    if (at % l2TableAlignment !== 0) {
      throw new DiskError(
        'ERR_CORRUPT',
        `an L2 table at byte ${hex(at)}, which is not a multiple of ${l2TableAlignment}`,
        { offset: entryAt },
      );
    }
    return l2Tables.at(at, entryAt);
  }
}
