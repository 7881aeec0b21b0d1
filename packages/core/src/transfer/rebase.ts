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

/** The base that an image gets, and what the image is to say of it. */
export interface NewBase extends BackingName {
  readonly disk: DiskModule;
}

export interface RebaseOptions extends TransferOptions {
  /** What is copied is compressed, where a whole cluster is copied and the image can. */
  readonly compress?: boolean | undefined;
}

/** Bytes compared at a time. */
const PIECE = 2 * 1024 * 1024;
const IN_FLIGHT = 4;
/** Of images that do not tell their cluster size. */
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
 * Puts an image on another base without a change of what it reads as: where the two bases differ, the old content is
 * copied into the image first. Then the image names the new base; `undefined` leaves it without one.
 *
 * Aborted before that, the image stands on its old base and reads as before. Open it anew afterwards: this handle still
 * reads through the old base.
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
    throw new DiskError(
      'ERR_UNSUPPORTED',
      'the image cannot be put on another base, or is not open for writing',
    );
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

/** The image has these bytes itself from now on. */
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
