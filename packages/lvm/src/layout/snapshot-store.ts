import { DiskError, hex } from '@diskstack/core';
import { joinHalves, SECTOR, struct, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/dm-snap-persistent.c`, `struct disk_header`. */
export const SNAPSHOT_HEADER = struct('little', { magic: u32, valid: u32, version: u32, chunkSize: u32 });

const SNAP_MAGIC = 0x7041_6e53; // 'SnAp'
const SNAPSHOT_VERSION = 1;
/** `struct disk_exception`: the chunk of the origin and the chunk of the store. */
export const EXCEPTION_BYTES = 16;

/** Checks the header and returns the chunk size in bytes. */
export function decodeSnapshotHeader(header: Uint8Array): number {
  const { magic, valid, version, chunkSize } = SNAPSHOT_HEADER.decode(header);
  const fail = (
    code: 'ERR_CORRUPT' | 'ERR_UNSUPPORTED',
    reason: string,
    field: keyof typeof SNAPSHOT_HEADER.at,
  ) => {
    throw new DiskError(code, reason, { offset: SNAPSHOT_HEADER.at[field] });
  };
  if (magic !== SNAP_MAGIC)
    fail(
      'ERR_CORRUPT',
      `the store of the snapshot has the magic ${hex(magic)}, not ${hex(SNAP_MAGIC)}`,
      'magic',
    );
  if (valid !== 1)
    fail('ERR_CORRUPT', 'the snapshot is invalid: its store overflowed, and its content is lost', 'valid');
  if (version !== SNAPSHOT_VERSION)
    fail(
      'ERR_UNSUPPORTED',
      `the store of the snapshot has version ${version}; version ${SNAPSHOT_VERSION} is read`,
      'version',
    );
  const isPower = chunkSize > 0 && (chunkSize & (chunkSize - 1)) === 0;
  if (!isPower || chunkSize > MAX_CHUNK_SECTORS)
    fail(
      'ERR_CORRUPT',
      `the store of the snapshot has chunks of ${chunkSize} sectors, which is not a power of two up to ${MAX_CHUNK_SECTORS}`,
      'chunkSize',
    );
  return chunkSize * SECTOR;
}

/** 16 MiB; lvm2 allows 512 KiB. */
const MAX_CHUNK_SECTORS = 32_768;

/** Exception number `index` of an area: chunk `from` of the origin is stored in chunk `to` of the store. */
export function exceptionAt(area: DataView, index: number): { readonly from: number; readonly to: number } {
  return { from: u64(area, index * EXCEPTION_BYTES), to: u64(area, index * EXCEPTION_BYTES + 8) };
}

function u64(view: DataView, at: number): number {
  return joinHalves(view.getUint32(at + 4, true), view.getUint32(at, true)) ?? Number.POSITIVE_INFINITY;
}
