import type { DiskModule, Io, WorkIo } from '@diskstack/core';
import { breathe, type PayloadCipher, throwIfAborted, writeFully } from '@diskstack/core/format';
import { putL1Entry } from '../layout/l1-entry.ts';
import { putStandardEntry } from '../layout/l2-entry.ts';
import type { NewFile } from './new-file.ts';
import type { Plan } from './plan.ts';
import type { Shape } from './shape.ts';

/** Bytes of one write: whole sectors. */
const FILL_BYTES = 2 * 1024 * 1024;

/** The L1 table of a preallocated image, whose L2 tables are contiguous. */
export function preallocatedL1({ l1Size, geometry }: Shape, plan: Plan): Uint8Array {
  const bytes = new Uint8Array(l1Size * 8);
  const table = new DataView(bytes.buffer);
  for (let index = 0; index < l1Size; index++)
    putL1Entry(table, index, plan.l2Tables.at + index * geometry.l2TableBytes, true);
  return bytes;
}

/**
 * Writes the L2 tables of a preallocated image, which map every guest cluster.
 *
 * @param firstAt byte of guest cluster 0; the others follow in order
 * @param areZero the entries have the zero flag
 */
export async function writePreallocatedL2(
  file: NewFile,
  shape: Shape,
  plan: Plan,
  firstAt: number,
  areZero: boolean,
  io: Io,
): Promise<void> {
  const { l2TableBytes, l2Entries, l2EntryBytes, clusterSize } = shape.geometry;
  const perWrite = Math.max(1, Math.floor(FILL_BYTES / l2TableBytes));
  for (let first = 0; first < shape.l1Size; first += perWrite) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    throwIfAborted(io.signal);
    const tables = Math.min(perWrite, shape.l1Size - first);
    const bytes = new Uint8Array(tables * l2TableBytes);
    const view = new DataView(bytes.buffer);
    const cluster = first * l2Entries;
    const entries = Math.min(tables * l2Entries, shape.guestClusters - cluster);
    for (let index = 0; index < entries; index++) {
      const at = firstAt + (cluster + index) * clusterSize;
      // Extended entries get no sub-cluster bits: the cluster has a place, but its sub-clusters still show the base.
      const zero = areZero && !shape.extendedL2;
      putStandardEntry(view, index * l2EntryBytes, at, { copied: true, zero });
    }
    await file.write(plan.l2Tables.at + first * l2TableBytes, bytes);
  }
}

/**
 * Writes zeroes, encrypted with the cipher if there is one, so that the file system allocates the space. `at` is guest
 * offset 0.
 */
export async function fillWithZeroes(
  disk: DiskModule,
  at: number,
  size: number,
  cipher: PayloadCipher | undefined,
  { signal, onProgress }: WorkIo,
): Promise<void> {
  const buffer = new Uint8Array(Math.min(size, FILL_BYTES));
  for (let offset = 0; offset < size; offset += buffer.length) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    throwIfAborted(signal);
    const bytes = buffer.subarray(0, size - offset);
    if (cipher !== undefined) {
      const sector = ((cipher.numbering === 'host' ? at : 0) + offset) / cipher.sectorSize;
      cipher.encrypt(bytes.fill(0), sector);
    }
    await writeFully(disk, at + offset, bytes, { signal });
    onProgress?.({ done: offset + bytes.length, total: size });
  }
}
