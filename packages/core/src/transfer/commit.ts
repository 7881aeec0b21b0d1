import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { readFully, writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import { ExtentCloner, mayClone } from './cloned-runs.ts';
import type { TransferOptions, WritingOptions } from './copy-disk.ts';
import { overlapped } from './overlapped.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';

export interface CommitOptions extends TransferOptions, Pick<WritingOptions, 'bytesPerSecond' | 'clone'> {
  /** Position of `base` in the overlay's chain. 1 is the overlay's own base, 2 the base of that. Default: 1. */
  readonly depth?: number | undefined;
}

/** Bytes per write. */
const PIECE = 2 * 1024 * 1024;
const IN_FLIGHT = 4;

interface Part {
  readonly offset: number;
  readonly length: number;
  readonly zero: boolean;
}

/**
 * Writes the overlay's own content into its base, so that the base alone reads as the overlay did. If the overlay is longer, the
 * base grows. When the promise resolves, the base is flushed.
 *
 * Does not write to the overlay. It reads the same as before while this runs and after an abort.
 *
 * @param base a writable handle on the base of the overlay
 */
export async function commit(
  overlay: DiskModule,
  base: DiskModule,
  options: CommitOptions = {},
): Promise<void> {
  const { depth: committed = 1, bytesPerSecond, signal, onProgress } = options;
  const io: Io = { signal };
  const total = overlay.size();
  if (!can(overlay, 'extents'))
    throw new DiskError('ERR_UNSUPPORTED', 'the overlay does not report which ranges it holds itself');
  if (base.size() < total) await lengthen(base, total, io);
  const piece = pieceOf(PIECE, bytesPerSecond);
  const limit = rateLimit(bytesPerSecond);
  let done = 0;

  async function* parts(): AsyncGenerator<Part> {
    if (!can(overlay, 'extents')) return;
    const cloning = can(base, 'cloneFrom') && mayClone(options) ? new ExtentCloner(overlay, base) : undefined;
    for await (const extent of overlay.extents(0, total, io)) {
      const { offset, length, kind, depth, present } = extent;
      const isOwn = present && depth < committed;
      const end = offset + length;
      const cloned = isOwn && cloning?.mayClone(extent) ? await cloning.clone(extent, io) : undefined;
      if (!isOwn) yield { offset, length: 0, zero: true };
      else if (cloned === undefined) yield* pieces(offset, end, kind === 'zero');
      else {
        yield* pieces(offset, cloned.offset, false);
        yield* pieces(cloned.offset + cloned.length, end, false);
      }
      done = end;
    }
  }

  function* pieces(from: number, to: number, zero: boolean): Generator<Part> {
    for (let at = from; at < to; at += piece) yield { offset: at, length: Math.min(piece, to - at), zero };
  }

  const work = async ({ offset, length, zero }: Part, buffer: Uint8Array): Promise<number> => {
    throwIfAborted(signal);
    if (length === 0) return offset;
    const bytes = buffer.subarray(0, length);
    if (zero && can(base, 'writeZeroes')) {
      await base.writeZeroes(offset, length, io);
    } else {
      await readFully(overlay, offset, bytes, io);
      await limit?.take(length, signal);
      await writeFully(base, offset, bytes, io);
    }
    return offset + length;
  };

  const slots = Array.from({ length: IN_FLIGHT }, () => transferBuffer(Math.min(piece, total)));
  for await (const reached of overlapped(parts(), slots, work)) onProgress?.({ done: reached, total });
  if (done < total)
    throw new DiskError('ERR_INTERNAL', `the extents of the overlay end at ${done} of ${total}`);
  if (can(base, 'flush')) await base.flush(io);
  onProgress?.({ done: total, total });
}

async function lengthen(base: DiskModule, size: number, io: Io): Promise<void> {
  if (!can(base, 'resize')) {
    const reason = `the overlay has ${size} bytes, its base has ${base.size()} and cannot be made longer`;
    throw new DiskError('ERR_UNSUPPORTED', reason);
  }
  await base.resize(size, io);
}
