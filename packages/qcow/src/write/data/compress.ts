import { DiskError, type Io } from '@diskstack/core';
import { compressedOffsetLimit } from '../../layout/l2-entry.ts';
import { compressedRun } from '../metadata/cluster-entries.ts';
import { putCompressedEntry } from './entry-changes.ts';
import type { WriteContext } from './write-context.ts';

/** Writes one cluster compressed. Returns false, and changes nothing, when the cluster does not get smaller. */
export async function compress(
  context: WriteContext,
  offset: number,
  cluster: Uint8Array,
  io: Io,
): Promise<boolean> {
  await context.ready(io);
  const { state, entries, external, encrypted, compress: compressor } = context;
  if (external) throw noCompression('an external data file');
  if (encrypted) throw noCompression('encryption: they would be stored in the clear');
  await compressor.ready?.();
  const { clusterSize, l2Coverage, l2Entries } = context.geometry;
  const table = await state.tables.writable(Math.floor(offset / l2Coverage));
  try {
    const index = Math.floor(offset / clusterSize) % l2Entries;
    const old = entries.read(table, index);
    if (old.host !== undefined || old.compressed !== undefined) {
      throw new DiskError(
        'ERR_ARGUMENT',
        `the cluster at offset ${offset} has a place already; compressed clusters are written only once`,
      );
    }
    const bytes = await compressor(cluster, clusterSize);
    if (bytes === undefined) return false;
    const at = await writeStream(context, bytes, io);
    putCompressedEntry(context, table, index, { at, stored: bytes.length });
    return true;
  } finally {
    state.tables.l2.release(table);
  }
}

/** Allocates a place for compressed bytes and writes them. Returns the first byte. */
async function writeStream({ state, geometry }: WriteContext, bytes: Uint8Array, io: Io): Promise<number> {
  const { allocator, file } = state;
  const at = await allocator.allocateBytes(bytes.length);
  try {
    if (at + bytes.length > compressedOffsetLimit(geometry.clusterBits))
      throw noCompression(`an image of ${at} bytes`);
    await file.writeData(at, bytes, io);
  } catch (error) {
    await allocator.untake(compressedRun({ at, stored: bytes.length }, geometry.clusterSize));
    throw error;
  }
  return at;
}

function noCompression(why: string): DiskError {
  return new DiskError('ERR_UNSUPPORTED', `no compressed clusters with ${why}`);
}
