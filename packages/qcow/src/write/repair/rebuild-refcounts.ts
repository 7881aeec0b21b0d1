import { DiskError } from '@diskstack/core';
import { breathe, limitError } from '@diskstack/core/format';
import type { Counting } from '../../check/counting.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { putRefcount, putRefcountBlockOffset, refcountBlockEntries } from '../../layout/refcount.ts';
import type { ImageState } from '../metadata/image-state.ts';

/**
 * Rebuilds the refcounts of an image. New blocks and a new table are written after the end of the file; each refcount
 * is the number of references in the other tables. One write of the header switches to them, and frees the old ones. A
 * crash before that leaves the image as it was.
 *
 * @param counting the references of everything except the refcounts
 * @param refcountOrder of the new refcounts. Default: as before. With another order, the refcounts in memory become useless
 */
export async function rebuildRefcounts(
  state: ImageState,
  guard: OverlapGuard,
  { counts }: Counting,
  refcountOrder: number = state.image.header.refcountOrder,
): Promise<void> {
  const { file, image } = state;
  const { header, geometry, limits } = image;
  const { clusterSize } = geometry;
  const blockEntries = refcountBlockEntries(clusterSize, refcountOrder);
  const max = 2 ** (2 ** refcountOrder) - 1;
  const first = Math.max(Math.ceil(file.disk.size() / clusterSize), counts.last + 1);
  const { blocks, tableClusters } = roomFor(first, blockEntries, clusterSize);
  const tableBytes = tableClusters * clusterSize;
  if (tableBytes > limits.maxRefcountTableBytes)
    throw limitError('maxRefcountTableBytes', limits, `a refcount table of ${tableBytes} bytes`);
  const end = first + blocks + tableClusters;
  const table = new DataView(new ArrayBuffer(tableBytes));
  for (let index = 0; index < blocks; index++) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const block = new DataView(new ArrayBuffer(clusterSize));
    const from = index * blockEntries;
    for (let cluster = from; cluster < Math.min(from + blockEntries, end); cluster++) {
      const references = cluster < first ? counts.get(cluster) : 1;
      if (references > max && refcountOrder !== header.refcountOrder) {
        const reason = `cluster ${cluster} has ${references} references, refcounts of ${2 ** refcountOrder} bits end at ${max}`;
        throw new DiskError('ERR_UNSUPPORTED', reason);
      }
      if (references > 0) putRefcount(block, cluster - from, refcountOrder, Math.min(references, max));
    }
    const at = (first + index) * clusterSize;
    guard.claim('a refcount block', at, clusterSize);
    await file.writeMetadata('a refcount block', at, new Uint8Array(block.buffer));
    putRefcountBlockOffset(table, index, at);
  }
  const tableAt = (first + blocks) * clusterSize;
  guard.claim('the refcount table', tableAt, tableBytes);
  await file.writeMetadata('the refcount table', tableAt, new Uint8Array(table.buffer));
  await file.barrier();
  const place = { refcountTableOffset: tableAt, refcountTableClusters: tableClusters };
  const fields = refcountOrder === header.refcountOrder ? place : { ...place, refcountOrder };
  await state.writeHeader(fields);
  await file.barrier();
  if (refcountOrder === header.refcountOrder) await state.reload();
  state.markCounted();
}

/**
 * Number of blocks that count all clusters before `first`, themselves and their table; and the clusters of that table.
 */
function roomFor(
  first: number,
  blockEntries: number,
  clusterSize: number,
): { readonly blocks: number; readonly tableClusters: number } {
  let blocks = 1;
  let tableClusters = 1;
  while (blocks * blockEntries < first + blocks + tableClusters) {
    blocks = Math.ceil((first + blocks + tableClusters) / blockEntries);
    tableClusters = Math.ceil((blocks * 8) / clusterSize);
  }
  return { blocks, tableClusters };
}
