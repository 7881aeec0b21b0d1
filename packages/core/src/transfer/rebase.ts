import { roundUp } from '../binary/safe-number.ts';
import { type Able, can } from '../contracts/abilities.ts';
import type { BackingName } from '../contracts/changes.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { TransferOptions } from './copy-disk.ts';
import { paddedRuns, piecesOf, type Run } from './disk-runs.ts';
import { firstDifference } from './first-difference.ts';
import { inStep } from './in-step.ts';
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

  const shownRuns = runsOf(disk, total, io);

  /** The image's own bytes stay, and clusters of zeroes in both bases are equal: everything else is compared. */
  async function* parts(): AsyncGenerator<Part> {
    let start = 0; // of what has to be compared
    const newRuns = base === undefined ? noBase(total) : paddedRuns(base.disk, total, io);
    for await (const { offset, length, a: shown, b: anew } of inStep(shownRuns, newRuns)) {
      const end = offset + length;
      const areEqual = !shown.isOwn && shown.zero && anew.zero;
      const from = areEqual ? roundUp(offset, clusterSize) : offset;
      const to = areEqual && end < total ? end - (end % clusterSize) : end;
      if ((shown.isOwn || areEqual) && from < to) {
        yield* piecesOf({ offset: start, length: from - start, zero: false }, pieceBytes);
        yield { offset: to, length: 0 };
        start = to;
      } else if (end - start > pieceBytes) {
        const whole = end - (end % pieceBytes) - start;
        yield* piecesOf({ offset: start, length: whole, zero: false }, pieceBytes);
        start += whole;
      }
    }
    yield* piecesOf({ offset: start, length: total - start, zero: false }, pieceBytes);
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

/** A run of what the image reads as. */
interface ShownRun extends Run {
  /** The image has the bytes itself. */
  readonly isOwn: boolean;
}

async function* runsOf(disk: Able<'extents'>, total: number, io: Io): AsyncGenerator<ShownRun> {
  for await (const { offset, length, kind, depth, present } of disk.extents(0, total, io))
    yield { offset, length, zero: kind === 'zero', isOwn: present && depth === 0 };
}

/** Without a base the image reads as zeroes where it has no bytes itself. */
async function* noBase(total: number): AsyncGenerator<Run> {
  yield { offset: 0, length: total, zero: true };
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
