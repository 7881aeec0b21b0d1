import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../contracts/errors.ts';
import { readFully, settle } from '../range.ts';
import { transferBuffer } from '../transfer-buffer.ts';
import type { TransferOptions } from './copy-disk.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { firstDifference } from './first-difference.ts';
import { overlapped } from './overlapped.ts';
import { readZeroPadded } from './read-zero-padded.ts';
import { isZero } from './zero-bytes.ts';

export interface FillOptions extends TransferOptions {
  /** Bytes that the image allocates together: what is left out is left out by whole clusters. */
  readonly clusterSize: number;
  /** What the image shows where nothing is written: a disk, or zeroes without one. What is the same is left out. */
  readonly base?: DiskModule | undefined;
  /** Clusters are written compressed, where that makes them smaller. */
  readonly compress?: boolean | undefined;
}

/** Bytes read at a time, or one cluster. */
const PIECE = 2 * 1024 * 1024;
const IN_FLIGHT = 4;

interface Buffers {
  readonly source: Uint8Array;
  /** Empty without a base. */
  readonly base: Uint8Array;
}

/**
 * Copies the content of a disk into a new image that allocates clusters, driven by its extents. Content that the image
 * shows already is not written. Nothing is flushed.
 */
export async function fillImage(source: DiskModule, target: DiskModule, options: FillOptions): Promise<void> {
  const { clusterSize, base, compress = false, onProgress, signal } = options;
  const io: Io = { signal };
  const total = source.size();
  if (target.size() < total) {
    const reason = `the target has ${target.size()} bytes, the source has ${total}`;
    throw new DiskError('ERR_OUT_OF_BOUNDS', reason);
  }
  const compressing = compress ? compressorOf(target) : undefined;
  const pieceBytes = Math.max(PIECE, clusterSize);
  let done = 0;
  const report = (length: number): void => {
    done += length;
    onProgress?.({ done, total });
  };

  async function* pieces(): AsyncGenerator<Run> {
    for await (const run of wholeClusters(diskRuns(source, io), clusterSize, total)) {
      if (run.zero && base === undefined) report(run.length);
      else yield* piecesOf(run, pieceBytes);
    }
  }

  const writeZeroes = async (offset: number, length: number): Promise<void> => {
    if (can(target, 'writeZeroes')) await target.writeZeroes(offset, length, io);
    else await target.write(offset, new Uint8Array(length), io);
  };

  /** Writes a run of clusters that differ from what is there. */
  const put = async (offset: number, bytes: Uint8Array): Promise<void> => {
    if (compressing === undefined) {
      await target.write(offset, bytes, io);
      return;
    }
    const writes: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += clusterSize) {
      const cluster = bytes.subarray(at, at + clusterSize);
      const needed = Math.min(clusterSize, target.size() - offset - at); // the target may be a bit longer
      writes.push(compressing(offset + at, padded(cluster, needed), io));
    }
    await settle(writes);
  };

  const work = async ({ offset, length, zero }: Run, buffers: Buffers): Promise<number> => {
    throwIfAborted(signal);
    const bytes = buffers.source.subarray(0, length);
    const below = base === undefined ? undefined : buffers.base.subarray(0, length);
    if (below !== undefined && base !== undefined) await readZeroPadded(base, offset, below, io);
    if (zero) {
      if (below === undefined || !isZero(below)) await writeZeroes(offset, length);
      return length;
    }
    await readFully(source, offset, bytes, { signal, ahead: true });
    let start = 0; // of the clusters that are to be written
    for (let at = 0; at < length; at += clusterSize) {
      const end = Math.min(length, at + clusterSize);
      const cluster = bytes.subarray(at, end);
      const isThere =
        below === undefined ? isZero(cluster) : firstDifference(cluster, below.subarray(at, end)) === -1;
      if (!isThere) continue;
      if (start < at) await put(offset + start, bytes.subarray(start, at));
      start = end;
    }
    if (start < length) await put(offset + start, bytes.subarray(start));
    return length;
  };

  const slots = Array.from({ length: IN_FLIGHT }, () => ({
    source: transferBuffer(Math.min(pieceBytes, total)),
    base: transferBuffer(base === undefined ? 0 : Math.min(pieceBytes, total)),
  }));
  for await (const length of overlapped(pieces(), slots, work)) report(length);
  // A target is longer where its sizes are those of sectors: nothing of the base may show there.
  if (base !== undefined && target.size() > total) await writeZeroes(total, target.size() - total);
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}

function compressorOf(target: DiskModule): (offset: number, bytes: Uint8Array, io: Io) => Promise<void> {
  if (can(target, 'writeCompressed')) return (offset, bytes, io) => target.writeCompressed(offset, bytes, io);
  throw new DiskError('ERR_UNSUPPORTED', 'the image takes no compressed clusters');
}

/** The same runs with their borders between clusters: a cluster that has any data is data. */
async function* wholeClusters(
  runs: AsyncIterable<Run>,
  clusterSize: number,
  total: number,
): AsyncGenerator<Run> {
  let from = 0; // everything before has been yielded
  for await (const { offset, length, zero } of runs) {
    const end = offset + length;
    const border = zero
      ? end === total
        ? total
        : end - (end % clusterSize)
      : Math.min(total, Math.ceil(end / clusterSize) * clusterSize);
    if (border <= from) continue;
    yield { offset: from, length: border - from, zero };
    from = border;
  }
}
