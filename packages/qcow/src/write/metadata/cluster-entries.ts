import { DiskError, hex } from '@diskstack/core';
import { contradicts, SUBCLUSTERS } from '../../layout/extended-l2-entry.ts';
import type { Geometry } from '../../layout/geometry.ts';
import {
  compressedBytes,
  compressedOffset,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
  isCopied,
  putCompressedEntry,
  putStandardEntry,
} from '../../layout/l2-entry.ts';
import { unalignedCluster } from '../../tables/clusters/describe.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { Run } from '../space/allocator.ts';

/** Where a compressed cluster is: byte of the image, and bytes that its entry stands for. */
export interface CompressedPlace {
  readonly at: number;
  readonly stored: number;
}

/**
 * An L2 entry. Its cluster has `units` that are each allocated, zero, or neither: the 32 sub-clusters of an extended
 * entry, or the cluster itself of any other. Bit x of a mask is unit x.
 */
export interface ClusterEntry {
  readonly compressed?: CompressedPlace | undefined;
  /** Byte of its host cluster, where it has one. */
  readonly host?: number | undefined;
  readonly allocated: number;
  readonly zeroes: number;
}

export const NO_CLUSTER: ClusterEntry = { allocated: 0, zeroes: 0 };

/** The host clusters that an entry refers to. */
export function hostsOf({ host, compressed }: ClusterEntry, clusterSize: number): Run | undefined {
  if (host !== undefined) return { cluster: host / clusterSize, count: 1 };
  return compressed && compressedRun(compressed, clusterSize);
}

/** The host clusters that compressed bytes touch. */
export function compressedRun({ at, stored }: CompressedPlace, clusterSize: number): Run {
  const cluster = Math.floor(at / clusterSize);
  return { cluster, count: Math.floor((at + stored - 1) / clusterSize) - cluster + 1 };
}

export interface EntryShape {
  readonly geometry: Geometry;
  readonly version: number;
  readonly extended: boolean;
  /** The clusters are in a file of their own, where host offset 0 is one like any other. */
  readonly external: boolean;
}

/** Reads and writes the entries of L2 tables, of both kinds. */
export class ClusterEntries {
  /** Parts of a cluster that are allocated by themselves. */
  readonly units: number;
  /** Guest bytes of a unit. */
  readonly unitSize: number;
  /** The mask of all units. */
  readonly all: number;
  readonly #shape: EntryShape;

  constructor(shape: EntryShape) {
    this.#shape = shape;
    this.units = shape.extended ? SUBCLUSTERS : 1;
    this.unitSize = shape.geometry.clusterSize / this.units;
    this.all = shape.extended ? 0xffffffff : 1;
  }

  /** The mask of the units that the bytes `from` to `to` of a cluster touch. */
  mask(from: number, to: number): number {
    const first = Math.floor(from / this.unitSize);
    const count = Math.ceil(to / this.unitSize) - first;
    return count === 32 ? 0xffffffff : ((2 ** count - 1) << first) >>> 0;
  }

  read({ view, at: tableAt }: L2Table, index: number): ClusterEntry {
    const { geometry, version, extended, external } = this.#shape;
    const at = index * geometry.l2EntryBytes;
    const hi = view.getUint32(at);
    const lo = view.getUint32(at + 4);
    if (isCompressed(hi)) {
      const place = {
        at: compressedOffset(hi, lo, geometry.clusterBits),
        stored: compressedBytes(hi, lo, geometry.clusterBits),
      };
      return { compressed: place, allocated: this.all, zeroes: 0 };
    }
    const offset = hostClusterOffset(hi, lo);
    if (offset % geometry.clusterSize !== 0)
      throw unalignedCluster(offset, geometry.clusterSize, tableAt + at);
    const host = offset !== 0 || (external && isCopied(hi)) ? offset : undefined;
    if (extended) {
      const zeroes = view.getUint32(at + 8);
      const allocated = view.getUint32(at + 12);
      if (contradicts(allocated, zeroes) || (allocated !== 0 && host === undefined)) {
        const reason = `sub-clusters allocated ${hex(allocated)} and zero ${hex(zeroes)} contradict each other`;
        throw new DiskError('ERR_CORRUPT', reason, { offset: tableAt + at + 8 });
      }
      return { host, allocated, zeroes };
    }
    if (!hasZeroFlag(lo)) return { host, allocated: host === undefined ? 0 : 1, zeroes: 0 };
    if (version >= 3) return { host: offset === 0 ? undefined : offset, allocated: 0, zeroes: 1 };
    throw new DiskError('ERR_CORRUPT', 'a zero cluster in an image of version 2, version 3 has them', {
      offset: tableAt + at,
    });
  }

  isCopied({ view }: L2Table, index: number): boolean {
    return isCopied(view.getUint32(index * this.#shape.geometry.l2EntryBytes));
  }

  /** Writes an entry without compression; a host cluster is this entry's alone when `copied`. */
  put({ view }: L2Table, index: number, entry: ClusterEntry, copied: boolean): void {
    const { geometry, extended } = this.#shape;
    const at = index * geometry.l2EntryBytes;
    const zero = !extended && entry.zeroes !== 0;
    putStandardEntry(view, at, entry.host ?? 0, { copied: copied && entry.host !== undefined, zero });
    if (!extended) return;
    view.setUint32(at + 8, entry.zeroes);
    view.setUint32(at + 12, entry.allocated);
  }

  putCompressed({ view }: L2Table, index: number, { at: host, stored }: CompressedPlace): void {
    const { geometry, extended } = this.#shape;
    const at = index * geometry.l2EntryBytes;
    putCompressedEntry(view, at, host, stored, geometry.clusterBits);
    if (!extended) return;
    view.setUint32(at + 8, 0);
    view.setUint32(at + 12, 0);
  }
}
