import type { DiskModule } from '@diskstack/core';
import { DiskError, hex } from '@diskstack/core';
import type { ExtentList } from '@diskstack/core/format';
import type { L2Entry, L2Problem, L2Shape } from '../../layout/decoded-l2-entry.ts';
import type { Geometry } from '../../layout/geometry.ts';
import type { L2Table } from '../l2-tables.ts';

/**
 * Adds the extents of guest bytes `from` to `to`, which one L2 table maps. Returns the guest offset that it reached:
 * `to`, unless the list is full.
 */
export type DescribeClusters = (table: L2Table, from: number, to: number, extents: ExtentList) => number;

/** qcow2 spec, "Cluster mapping": l2_index. */
export function l2Index(offset: number, { clusterSize, l2Entries }: Geometry): number {
  return Math.floor(offset / clusterSize) % l2Entries;
}

/** Words that are tested together. */
const STRIDE = 8;

/**
 * Length of the run of unallocated clusters at `offset`, up to `to`. The entry of `offset` is known to be empty; the
 * run continues over entries of zero bits. They are tested many at a time: a large sparse disk has millions of them.
 */
export function emptyRun(
  { view }: L2Table,
  offset: number,
  to: number,
  { clusterSize, l2Entries, l2EntryBytes }: Geometry,
): number {
  const start = offset - (offset % clusterSize);
  const first = Math.floor(start / clusterSize) % l2Entries;
  const end = first + Math.ceil((to - start) / clusterSize);
  const perEntry = l2EntryBytes / Uint32Array.BYTES_PER_ELEMENT;
  const words = new Uint32Array(view.buffer, view.byteOffset, end * perEntry);
  let word = (first + 1) * perEntry;
  while (word + STRIDE <= words.length && isEmptyStride(words, word)) word += STRIDE;
  while (word < words.length && words[word] === 0) word++;
  return Math.min(to, start + (Math.floor(word / perEntry) - first) * clusterSize) - offset;
}

function isEmptyStride(words: Uint32Array, at: number): boolean {
  let any = 0;
  for (let word = at; word < at + STRIDE; word++) any |= words[word] as number;
  return any === 0;
}

/** The error for a cluster that begins past the end of the file. One that begins before it may be incomplete. */
export function lostCluster(hostOffset: number, file: DiskModule, entryAt: number): DiskError {
  return new DiskError(
    'ERR_TRUNCATED',
    `a cluster at byte ${hex(hostOffset)}, the file ends at ${hex(file.size())}`,
    {
      offset: entryAt,
    },
  );
}

export function unalignedCluster(hostOffset: number, alignment: number, entryAt: number): DiskError {
  return new DiskError(
    'ERR_CORRUPT',
    `a cluster at byte ${hex(hostOffset)}, which is not a multiple of ${alignment}`,
    { offset: entryAt },
  );
}

/** qcow2 spec, "External data file bit": no cluster is compressed. */
export function compressedExternally(entryAt: number): DiskError {
  return new DiskError('ERR_CORRUPT', 'a compressed cluster in an image with an external data file', {
    offset: entryAt,
  });
}

/** qcow2 spec, "External data file bit": the host offset of a cluster must be its guest offset. */
export function misplacedCluster(hostOffset: number, guestOffset: number, entryAt: number): DiskError {
  return new DiskError(
    'ERR_CORRUPT',
    `guest cluster ${hex(guestOffset)} is at byte ${hex(hostOffset)} of the external data file, and must be at its own offset`,
    { offset: entryAt },
  );
}

/** The error for an entry that cannot be used. */
export function l2EntryError(
  problem: L2Problem,
  { host, allocated, zeroes }: L2Entry,
  { geometry, version }: L2Shape,
  entryAt: number,
): DiskError {
  if (problem === 'unaligned') return unalignedCluster(host, geometry.clusterSize, entryAt);
  const reason =
    problem === 'zero in version 2'
      ? `a zero cluster in an image of version ${version}, version 3 has them`
      : `sub-clusters allocated ${hex(allocated)} and zero ${hex(zeroes)} contradict each other or the cluster's offset ${hex(Math.max(0, host))}`;
  return new DiskError('ERR_CORRUPT', reason, { offset: entryAt });
}
