import { L2Entry, type L2Shape, NO_HOST } from '../../layout/decoded-l2-entry.ts';
import { SUBCLUSTERS } from '../../layout/extended-l2-entry.ts';
import { isCopied, putCompressedEntry, putStandardEntry } from '../../layout/l2-entry.ts';
import { l2EntryError } from '../../tables/clusters/describe.ts';
import type { L2Table } from '../../tables/l2-tables.ts';
import type { Run } from '../space/allocator.ts';

/** Where a compressed cluster is stored: byte of the image, and stored bytes according to its entry. */
export interface CompressedPlace {
  readonly at: number;
  readonly stored: number;
}

/**
 * The meaning of an L2 entry as a value that can be kept. `layout/decoded-l2-entry.ts` explains the units.
 */
export interface ClusterEntry {
  readonly compressed?: CompressedPlace | undefined;
  /** Byte of the host cluster; `undefined` without one. */
  readonly host?: number | undefined;
  readonly allocated: number;
  readonly zeroes: number;
}

export const NO_CLUSTER: ClusterEntry = { allocated: 0, zeroes: 0 };

/** The host clusters that an entry refers to; `undefined` for none. */
export function hostsOf({ host, compressed }: ClusterEntry, clusterSize: number): Run | undefined {
  if (host !== undefined) return { cluster: host / clusterSize, count: 1 };
  return compressed && compressedRun(compressed, clusterSize);
}

/** The host clusters that compressed bytes touch. */
export function compressedRun({ at, stored }: CompressedPlace, clusterSize: number): Run {
  const cluster = Math.floor(at / clusterSize);
  return { cluster, count: Math.floor((at + stored - 1) / clusterSize) - cluster + 1 };
}

/** Reads and writes L2 entries of both kinds. */
export class ClusterEntries {
  /** Units of a cluster, each allocated separately. */
  readonly units: number;
  /** Guest bytes of a unit. */
  readonly unitSize: number;
  /** The mask of all units. */
  readonly all: number;
  readonly #shape: L2Shape;
  readonly #decoded = new L2Entry();

  constructor(shape: L2Shape) {
    this.#shape = shape;
    this.units = shape.extended ? SUBCLUSTERS : 1;
    this.unitSize = shape.geometry.clusterSize / this.units;
    this.all = shape.extended ? 0xffffffff : 1;
  }

  /** The mask of the units that bytes `from` to `to` of a cluster touch. */
  mask(from: number, to: number): number {
    const first = Math.floor(from / this.unitSize);
    const count = Math.ceil(to / this.unitSize) - first;
    return count === 32 ? 0xffffffff : ((2 ** count - 1) << first) >>> 0;
  }

  read({ view, at: tableAt }: L2Table, index: number): ClusterEntry {
    const entry = this.#decoded;
    const at = index * this.#shape.geometry.l2EntryBytes;
    const problem = entry.decode(view, at, this.#shape);
    if (problem !== undefined) throw l2EntryError(problem, entry, this.#shape, tableAt + at);
    const { host, stored, allocated, zeroes } = entry;
    if (stored !== 0) return { compressed: { at: host, stored }, allocated: this.all, zeroes: 0 };
    return { host: host === NO_HOST ? undefined : host, allocated, zeroes };
  }

  /** How many entries from `index` on have no bit set, `most` at most: clusters that are unallocated, and not zero either. */
  unusedFrom({ view }: L2Table, index: number, most: number): number {
    const { l2EntryBytes } = this.#shape.geometry;
    const words = l2EntryBytes / 4;
    const bits = new Uint32Array(view.buffer, view.byteOffset + index * l2EntryBytes, most * words);
    let word = 0;
    while (word < bits.length && bits[word] === 0) word++;
    return Math.floor(word / words);
  }

  isCopied({ view }: L2Table, index: number): boolean {
    return isCopied(view.getUint32(index * this.#shape.geometry.l2EntryBytes));
  }

  /** Writes a standard entry. `copied`: the host cluster has refcount 1. */
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
