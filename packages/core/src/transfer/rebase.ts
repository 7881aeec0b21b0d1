import { can } from '../contracts/abilities.ts';
import type { BackingName } from '../contracts/changes.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { TransferOptions } from './copy-disk.ts';
import { firstDifference } from './first-difference.ts';
import { overlapped } from './overlapped.ts';
import { readZeroPadded } from './read-zero-padded.ts';
import { isZero } from './zero-bytes.ts';

/** The new base of an image, and the name and format that the image records for it. */
export interface NewBase extends BackingName {
  readonly disk: DiskModule;
}

export interface RebaseOptions extends TransferOptions {
  /** Compresses the clusters that are copied whole, if the image can. Default: false. */
  readonly compress?: boolean | undefined;
}

/** Bytes per comparison. */
const PIECE = 2 * 1024 * 1024;
const IN_FLIGHT = 4;
/** Cluster size of images that do not report one, in bytes. */
const DEFAULT_CLUSTER = 65_536;

interface Part {
  readonly offset: number;
  readonly length: number;
}

interface Buffers {
  readonly old: Uint8Array;
  readonly new: Uint8Array;
}

/**
 * Changes the base of an image without changing what the image reads as: where the two bases differ, the old content is copied
 * into the image first. Then the image records the new base; `undefined` for none.
 *
 * After an abort, the image still has its old base and reads as before. Close the image afterwards and open it again: this handle
 * still reads through the old base.
 *
 * @param disk the image, open for writing with its old chain
 */
export async function rebase(
  disk: DiskModule,
  base: NewBase | undefined,
  options: RebaseOptions = {},
): Promise<void> {
  const { compress = false, signal, onProgress } = options;
  const io: Io = { signal };
  if (!can(disk, 'extents') || !can(disk, 'changeBacking'))
    throw new DiskError('ERR_UNSUPPORTED', 'the image cannot change its base, or is not open for writing');
  const total = disk.size();
  const clusterSize = (can(disk, 'info') ? disk.info().clusterSize : undefined) ?? DEFAULT_CLUSTER;
  const pieceBytes = Math.max(PIECE, clusterSize);

  async function* parts(): AsyncGenerator<Part> {
    if (!can(disk, 'extents')) return;
    for await (const { offset, length, depth, present } of disk.extents(0, total, io)) {
      const end = offset + length;
      if (present && depth === 0) yield { offset: end, length: 0 };
      else
        for (let at = offset; at < end; at += pieceBytes - (at % pieceBytes))
          yield { offset: at, length: Math.min(end - at, pieceBytes - (at % pieceBytes)) };
    }
  }

  const work = async ({ offset, length }: Part, buffers: Buffers): Promise<number> => {
    throwIfAborted(signal);
    const before = buffers.old.subarray(0, length);
    const after = buffers.new.subarray(0, length);
    if (length === 0) return offset;
    await readFully(disk, offset, before, io);
    if (base === undefined) after.fill(0);
    else await readZeroPadded(base.disk, offset, after, io);
    for (let at = 0; at < length; ) {
      const end = Math.min(length, at + clusterSize - ((offset + at) % clusterSize));
      const bytes = before.subarray(at, end);
      if (firstDifference(bytes, after.subarray(at, end)) !== -1) {
        const isCluster =
          (offset + at) % clusterSize === 0 && (bytes.length === clusterSize || offset + end === total);
        await keep(disk, offset + at, bytes, compress && isCluster, io);
      }
      at = end;
    }
    return offset + length;
  };

  const slots = Array.from({ length: IN_FLIGHT }, () => ({
    old: transferBuffer(Math.min(pieceBytes, total)),
    new: transferBuffer(Math.min(pieceBytes, total)),
  }));
  for await (const reached of overlapped(parts(), slots, work)) onProgress?.({ done: reached, total });
  if (can(disk, 'flush')) await disk.flush(io);
  throwIfAborted(signal);
  await disk.changeBacking(base && { name: base.name, format: base.format }, io);
  onProgress?.({ done: total, total });
}

/** Stores these bytes in the image itself. */
async function keep(
  disk: DiskModule,
  offset: number,
  bytes: Uint8Array,
  compress: boolean,
  io: Io,
): Promise<void> {
  if (isZero(bytes) && can(disk, 'writeZeroes'))
    await disk.writeZeroes(offset, bytes.length, { ...io, explicit: true });
  else if (compress && can(disk, 'writeCompressed')) await disk.writeCompressed(offset, bytes, io);
  else await writeFully(disk, offset, bytes, io);
}
