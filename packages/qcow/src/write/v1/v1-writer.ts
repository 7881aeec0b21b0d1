import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import {
  type Compress,
  type MappingWriter,
  Mutex,
  type PlacedPart,
  type Placement,
  SECTOR,
  untilAborted,
} from '@diskstack/core/format';
import type { Geometry } from '../../layout/geometry.ts';
import { hostClusterOffsetV1, isCompressedV1, putCompressedV1 } from '../../layout/l2-entry-v1.ts';
import { lostCluster, unalignedCluster } from '../../tables/clusters/describe.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { ImageFile } from '../file/image-file.ts';
import type { FileEnd } from './file-end.ts';
import type { V1Tables } from './v1-tables.ts';

const TWO_32 = 2 ** 32;
/** Changed tables in memory are flushed when they take more bytes than this. */
const MOST_DIRTY = 16 * 1024 * 1024;

export interface V1WriterParts {
  readonly geometry: Geometry;
  readonly tables: V1Tables;
  readonly file: ImageFile;
  readonly end: FileEnd;
  readonly base: DiskModule | undefined;
  readonly encrypted: boolean;
  readonly compress: Compress;
}

/** A newly allocated cluster. */
interface NewCluster {
  readonly index: number;
  readonly at: number;
}

/**
 * The write side of a version 1 image. There are no refcounts: a cluster is overwritten in place, or allocated at the
 * end of the file. There are no zero clusters, no snapshots and no resize.
 */
export class V1Writer implements MappingWriter {
  readonly unit: number;
  readonly #parts: V1WriterParts;
  readonly #exclusive = new Mutex();
  /** A flush that has not begun: calls meanwhile share it. */
  #nextFlush: Promise<void> | undefined;

  constructor(parts: V1WriterParts) {
    this.#parts = parts;
    this.unit = parts.geometry.clusterSize;
  }

  /** Writes all changed tables. Calls that wait share one flush, which no single signal aborts. */
  flush(io: Io): Promise<void> {
    this.#nextFlush ??= this.#exclusive.run(() => {
      this.#nextFlush = undefined;
      return this.#parts.tables.flush();
    });
    return untilAborted(this.#nextFlush, io.signal);
  }

  async inPlace(offset: number, length: number): Promise<Placement | undefined> {
    const { tables } = this.#parts;
    const { l2Coverage, clusterSize } = this.#parts.geometry;
    const parts: PlacedPart[] = [];
    for (let position = offset; position < offset + length; ) {
      const found = tables.table(Math.floor(position / l2Coverage));
      if (found === undefined) return undefined;
      const table = found instanceof Promise ? await found : found;
      const end = Math.min(offset + length, position - (position % l2Coverage) + l2Coverage);
      while (position < end) {
        const stop = Math.min(end, position - (position % clusterSize) + clusterSize);
        const host = this.#hostOf(table, position);
        if (host === undefined) return undefined;
        addPart(parts, {
          offset: position,
          length: stop - position,
          at: host + (position % clusterSize),
          before: 0,
          after: 0,
        });
        position = stop;
      }
    }
    await this.#admit(parts);
    return { length, parts };
  }

  async place(offset: number, length: number, io: Io): Promise<Placement> {
    const { tables, end: fileEnd } = this.#parts;
    const { l2Coverage, l2Entries, clusterSize } = this.#parts.geometry;
    if (tables.l2.bytes > MOST_DIRTY) await this.flush(io);
    const l1Index = Math.floor(offset / l2Coverage);
    const end = Math.min(offset + length, (l1Index + 1) * l2Coverage);
    const table = await tables.writable(l1Index);
    const parts: PlacedPart[] = [];
    const news: NewCluster[] = [];
    const abandon = (): void => {
      tables.l2.release(table);
      for (const { at } of news.toReversed()) fileEnd.untake(at, clusterSize);
    };
    try {
      for (let position = offset; position < end; ) {
        const inCluster = position % clusterSize;
        const stop = Math.min(end, position - inCluster + clusterSize);
        let host = this.#hostOf(table, position);
        let fill = { before: 0, after: 0 };
        if (host === undefined) {
          const index = Math.floor(position / clusterSize) % l2Entries;
          const { at, isFresh } = await fileEnd.take(clusterSize);
          news.push({ index, at });
          if (!isFresh || this.#shows(table, index, position - inCluster))
            fill = { before: inCluster, after: position - inCluster + clusterSize - stop };
          host = at;
        }
        addPart(parts, { offset: position, length: stop - position, at: host + inCluster, ...fill });
        position = stop;
      }
      await this.#admit(parts);
    } catch (error) {
      abandon();
      throw error;
    }
    return {
      length: end - offset,
      parts,
      commit: () => {
        for (const { index, at } of news) tables.put(table, index, Math.floor(at / TWO_32), at % TWO_32);
        tables.l2.release(table);
      },
      abandon,
    };
  }

  /**
   * Whether an unallocated cluster may read as anything but zeroes, or literal zeroes in the file would not
   * (encryption).
   */
  #shows({ view }: L2Table, index: number, start: number): boolean {
    const { base, encrypted } = this.#parts;
    return encrypted || isCompressedV1(view.getUint32(index * 8)) || (base?.size() ?? 0) > start;
  }

  /** Byte of the host cluster that can be overwritten; `undefined` without one. */
  #hostOf({ view, at: tableAt }: L2Table, position: number): number | undefined {
    const { clusterSize, l2Entries } = this.#parts.geometry;
    const { disk } = this.#parts.file;
    const index = Math.floor(position / clusterSize) % l2Entries;
    const hi = view.getUint32(index * 8);
    if (isCompressedV1(hi)) return undefined;
    const host = hostClusterOffsetV1(hi, view.getUint32(index * 8 + 4));
    if (host === 0) return undefined;
    if (host % SECTOR !== 0) throw unalignedCluster(host, SECTOR, tableAt + index * 8);
    if (host >= disk.size()) throw lostCluster(host, disk, tableAt + index * 8);
    return host;
  }

  /** Checks that no part overlaps a table, and makes the file long enough: its last cluster may be incomplete. */
  async #admit(parts: readonly PlacedPart[]): Promise<void> {
    let last = 0;
    for (const { at, length, before, after } of parts) {
      this.#parts.end.checkData(at - before, before + length + after);
      last = Math.max(last, at + length + after);
    }
    await this.#parts.file.reach(last);
  }

  async compress(offset: number, cluster: Uint8Array, io: Io): Promise<boolean> {
    const { tables, end, encrypted, compress: compressor } = this.#parts;
    const { l2Coverage, l2Entries, clusterSize, clusterBits } = this.#parts.geometry;
    if (encrypted) throw noCompression('encryption: they would be stored in the clear');
    await compressor.ready?.();
    if (tables.l2.bytes > MOST_DIRTY) await this.flush(io);
    const table = await tables.writable(Math.floor(offset / l2Coverage));
    try {
      const index = Math.floor(offset / clusterSize) % l2Entries;
      if (table.view.getUint32(index * 8) !== 0 || table.view.getUint32(index * 8 + 4) !== 0) {
        throw new DiskError(
          'ERR_ARGUMENT',
          `the cluster at offset ${offset} has a place already; compressed clusters are written only once`,
        );
      }
      const bytes = await compressor(cluster, clusterSize);
      if (bytes === undefined) return false;
      const { at } = await end.take(bytes.length, true);
      const entry = new DataView(new ArrayBuffer(8));
      if (!putCompressedV1(entry, at, bytes.length, clusterBits))
        throw noCompression(`an image of ${at} bytes`);
      await end.write(at, bytes, io);
      tables.put(table, index, entry.getUint32(0), entry.getUint32(4));
      return true;
    } finally {
      tables.l2.release(table);
    }
  }

  /** Truncates the file after the last byte in use. */
  async finish(): Promise<void> {
    await this.#parts.end.trim();
  }
}

/** Adds a part, merged with the previous one when they are adjacent. */
function addPart(parts: PlacedPart[], part: PlacedPart): void {
  const last = parts.at(-1);
  if (last !== undefined && last.at + last.length === part.at && last.after + part.before === 0)
    parts[parts.length - 1] = { ...last, length: last.length + part.length, after: part.after };
  else parts.push(part);
}

function noCompression(why: string): DiskError {
  return new DiskError('ERR_UNSUPPORTED', `no compressed clusters with ${why}`);
}
