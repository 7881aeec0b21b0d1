import { awaitAll } from '../async/await-all.ts';
import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { clonedRuns, mayClone } from './cloned-runs.ts';
import type { TransferOptions, WritingOptions } from './copy-disk.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { firstDifference } from './first-difference.ts';
import { overlapped } from './overlapped.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';
import { readZeroPadded } from './read-zero-padded.ts';
import { isZero } from './zero-bytes.ts';
import { DEFAULT_MIN_ZEROES, zeroUnit } from './zero-runs.ts';

export interface FillOptions extends TransferOptions, WritingOptions {
  /** Cluster size of the image in bytes. Only whole clusters are skipped. */
  readonly clusterSize: number;
  /**
   * The disk that the image shows where nothing is written. Clusters with the same content are skipped. May be the target itself,
   * then only differences are written. Default: none.
   */
  readonly base?: DiskModule | undefined;
  /** Without a base: whether the image reads as zeroes where nothing is written. Default: true. */
  readonly targetIsZero?: boolean | undefined;
  /** Compresses clusters that become smaller by it. Default: false. */
  readonly compress?: boolean | undefined;
}

/** Bytes per read, or one cluster if that is longer. */
const PIECE = 2 * 1024 * 1024;
const IN_FLIGHT = 4;
/** Zeroes written by one call, which changes only tables. */
const ZERO_PIECE = 64 * 1024 * 1024;

/** What has to be written for a run of clusters. */
type Step = 'none' | 'zeroes' | 'data';

interface Buffers {
  readonly source: Uint8Array;
  /** Empty without a base. */
  readonly base: Uint8Array;
}

/**
 * Copies the content of a disk into an image that allocates clusters. Ranges that the extents report as zero are not read, and
 * content that the image already shows is not written. A longer target keeps its content past the end of the source, unless it
 * has a base. Does not flush the target.
 */
export async function fillImage(source: DiskModule, target: DiskModule, options: FillOptions): Promise<void> {
  const { clusterSize, base, compress = false, onProgress, signal, bytesPerSecond } = options;
  const { minZeroes = DEFAULT_MIN_ZEROES, targetIsZero = true } = options;
  const io: Io = { signal };
  const total = source.size();
  if (target.size() < total) {
    const reason = `the target has ${target.size()} bytes, the source has ${total}`;
    throw new DiskError('ERR_OUT_OF_BOUNDS', reason);
  }
  const compressing = compress ? compressorOf(target) : undefined;
  const pieceBytes = Math.max(pieceOf(PIECE, bytesPerSecond), clusterSize);
  const limit = rateLimit(bytesPerSecond);
  const isLiteral = minZeroes === 0; // zeroes are written as data
  const showsZeroes = base === undefined && targetIsZero;
  const unit = unitOf(clusterSize, { minZeroes, compress, base }, pieceBytes);
  let done = 0;
  const report = (length: number): void => {
    done += length;
    onProgress?.({ done, total });
  };

  async function* pieces(): AsyncGenerator<Run> {
    const clones = base === undefined && !compress && mayClone(options);
    const runs = clones ? clonedRuns(source, target, io, report) : diskRuns(source, io);
    for await (const run of wholeClusters(runs, clusterSize, total)) {
      if (!run.zero) yield* piecesOf(run, pieceBytes);
      else if (showsZeroes && !isLiteral) report(run.length);
      else yield* piecesOf(run, base === undefined && !isLiteral ? ZERO_PIECE : pieceBytes);
    }
  }

  const writeZeroes = async (offset: number, length: number): Promise<void> => {
    if (can(target, 'writeZeroes')) await target.writeZeroes(offset, length, { signal, unmap: true });
    else
      for (const piece of piecesOf({ offset, length, zero: true }, PIECE))
        await writeFully(target, piece.offset, new Uint8Array(piece.length), io);
  };

  /** Writes a run of clusters as data. */
  const put = async (offset: number, bytes: Uint8Array): Promise<void> => {
    if (compressing === undefined) {
      await writeFully(target, offset, bytes, io);
      return;
    }
    const writes: Promise<void>[] = [];
    for (let at = 0; at < bytes.length; at += clusterSize) {
      const cluster = bytes.subarray(at, at + clusterSize);
      const needed = Math.min(clusterSize, target.size() - offset - at); // the target may be slightly longer than the source
      writes.push(compressing(offset + at, padded(cluster, needed), io));
    }
    await awaitAll(writes);
  };

  /** What has to be written so that the image shows these bytes. */
  const stepFor = (bytes: Uint8Array, below: Uint8Array | undefined): Step => {
    if (below !== undefined && firstDifference(bytes, below) === -1) return 'none';
    if (isLiteral || !isZero(bytes)) return 'data';
    return showsZeroes ? 'none' : 'zeroes';
  };

  const work = async ({ offset, length, zero }: Run, buffers: Buffers): Promise<number> => {
    throwIfAborted(signal);
    if (zero && base === undefined && !isLiteral) {
      await writeZeroes(offset, length);
      return length;
    }
    if (limit !== undefined) await limit.take(length, signal);
    const bytes = buffers.source.subarray(0, length);
    const below = base === undefined ? undefined : buffers.base.subarray(0, length);
    if (below !== undefined && base !== undefined) await readZeroPadded(base, offset, below, io);
    if (zero) bytes.fill(0);
    else await readFully(source, offset, bytes, { signal, ahead: true });
    let start = 0; // start of the clusters with the same step
    let step: Step = 'none';
    for (let at = 0; at < length; at += unit) {
      const end = Math.min(length, at + unit);
      const next = stepFor(bytes.subarray(at, end), below?.subarray(at, end));
      if (next === step) continue;
      if (step === 'data') await put(offset + start, bytes.subarray(start, at));
      else if (step === 'zeroes') await writeZeroes(offset + start, at - start);
      start = at;
      step = next;
    }
    if (step === 'data') await put(offset + start, bytes.subarray(start));
    else if (step === 'zeroes') await writeZeroes(offset + start, length - start);
    return length;
  };

  const slots = Array.from({ length: IN_FLIGHT }, () => ({
    source: transferBuffer(Math.min(pieceBytes, total)),
    base: transferBuffer(base === undefined ? 0 : Math.min(pieceBytes, total)),
  }));
  for await (const length of overlapped(pieces(), slots, work)) report(length);
  // A target with sizes in whole sectors may be longer than the source. The base must not show there.
  if (base !== undefined && base !== target && target.size() > total)
    await writeZeroes(total, target.size() - total);
}

/** Bytes that are compared together: a cluster, or more if only longer runs of zeroes are skipped. */
function unitOf(
  clusterSize: number,
  { minZeroes = 0, compress, base }: Pick<FillOptions, 'minZeroes' | 'compress' | 'base'>,
  pieceBytes: number,
): number {
  if (minZeroes <= clusterSize || compress || base !== undefined) return clusterSize;
  return Math.min(zeroUnit(minZeroes), pieceBytes);
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length >= length) return bytes;
  const longer = new Uint8Array(length);
  longer.set(bytes);
  return longer;
}

function compressorOf(target: DiskModule): (offset: number, bytes: Uint8Array, io: Io) => Promise<void> {
  if (can(target, 'writeCompressed')) return (offset, bytes, io) => target.writeCompressed(offset, bytes, io);
  throw new DiskError('ERR_UNSUPPORTED', 'the image cannot hold compressed clusters');
}

/**
 * Moves the borders of the runs to cluster borders. A cluster with any data is data. A gap between the runs consists of whole
 * clusters, and stays one.
 */
async function* wholeClusters(
  runs: AsyncIterable<Run>,
  clusterSize: number,
  total: number,
): AsyncGenerator<Run> {
  let from = 0; // end of what has been yielded
  let reached = 0; // end of the last run
  for await (const { offset, length, zero } of runs) {
    const end = offset + length;
    if (offset > reached) from = offset;
    reached = end;
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
