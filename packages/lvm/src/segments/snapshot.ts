import { DiskError } from '@diskstack/core';
import {
  decodeSnapshotHeader,
  EXCEPTION_BYTES,
  exceptionAt,
  SNAPSHOT_HEADER,
} from '../layout/snapshot-store.ts';
import { optionalTextOf, textOf } from '../metadata/config.ts';
import type { SegmentContext, SegmentType } from '../segment-type.ts';
import { BlockMap, checkEntries, LazyBlockMap } from '../targets/block-map.ts';
import { overlay } from '../targets/overlay.ts';
import { eachRecord } from '../targets/pieces.ts';
import { slice, type Target } from '../targets/target.ts';

/**
 * lvm2 `lib/snapshot/snapshot.c`: the origin at an earlier time. The store holds the chunks that have changed since on the
 * origin or on the snapshot. While a snapshot is being merged, the origin reads as the snapshot.
 */
export const snapshot: SegmentType = {
  names: ['snapshot'],
  async open({ fields }, size, context) {
    const origin = slice(await context.volume(textOf(fields, 'origin')), 0, size);
    const store = await context.volume(
      optionalTextOf(fields, 'cow_store') ?? textOf(fields, 'merging_store'),
    );
    const header = new Uint8Array(SNAPSHOT_HEADER.size);
    await context.reader.read(store, 0, header);
    const blockBytes = decodeSnapshotHeader(header);
    const table = new LazyBlockMap(() => readExceptions(store, blockBytes, context));
    context.needs(table);
    return overlay({ size, origin, store, blockBytes, table });
  },
};

/**
 * Reads the exceptions, which are stored in areas of one chunk. Chunk 0 is the header and chunk 1 the first area. The data
 * chunks of an area follow it, and then the next area. An exception with chunk 0 of the store ends the list.
 */
async function readExceptions(store: Target, chunk: number, context: SegmentContext): Promise<BlockMap> {
  const perArea = chunk / EXCEPTION_BYTES;
  const chunks = Math.floor(store.size / chunk);
  const from: number[] = [];
  const to: number[] = [];
  for (let area = 1; area < chunks; area += perArea + 1) {
    const isFull = await eachRecord(
      context.reader,
      store,
      area * chunk,
      perArea,
      EXCEPTION_BYTES,
      (view, index) => {
        const exception = exceptionAt(view, index);
        if (exception.to === 0) return false;
        if (exception.to >= chunks) {
          const reason = `an exception of the snapshot is in chunk ${exception.to} of the store, which has ${chunks} chunks`;
          throw new DiskError('ERR_CORRUPT', reason);
        }
        from.push(exception.from);
        to.push(exception.to * chunk);
        return true;
      },
    );
    checkEntries(from.length, 'a snapshot', context.limits);
    if (!isFull) break;
  }
  return await BlockMap.of(from, to);
}
