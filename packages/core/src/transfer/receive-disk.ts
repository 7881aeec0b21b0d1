import { can } from '../contracts/abilities.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { writeFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { CopyOptions } from './copy-disk.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';
import { DEFAULT_MIN_ZEROES, writeNonZero } from './zero-runs.ts';

/** Bytes collected for one write. */
const PIECE = 2 * 1024 * 1024;

/**
 * Writes a stream of bytes into a disk, from byte 0. A target that can be resized gets the length of the stream. Any other target
 * has to be long enough. Does not flush the target.
 *
 * @returns the length of the stream in bytes
 */
export async function receiveDisk(
  stream: AsyncIterable<Uint8Array>,
  target: DiskModule,
  options: Omit<CopyOptions, 'onProgress'> = {},
): Promise<number> {
  const { targetIsZero = false, minZeroes = DEFAULT_MIN_ZEROES, bytesPerSecond, signal } = options;
  const io: Io = { signal };
  const skipsZeroes = targetIsZero && minZeroes > 0;
  const limit = rateLimit(bytesPerSecond);
  const piece = transferBuffer(pieceOf(PIECE, bytesPerSecond));
  let filled = 0;
  let written = 0;

  const put = async (): Promise<void> => {
    throwIfAborted(signal);
    const bytes = piece.subarray(0, filled);
    if (limit !== undefined) await limit.take(filled, signal);
    await makeRoom(target, written + filled, io);
    if (skipsZeroes) await writeNonZero(target, written, bytes, minZeroes, io);
    else await writeFully(target, written, bytes, io);
    written += filled;
    filled = 0;
  };

  for await (const chunk of stream) {
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(chunk.length - at, piece.length - filled);
      piece.set(chunk.subarray(at, at + taken), filled);
      filled += taken;
      at += taken;
      if (filled === piece.length) await put();
    }
  }
  if (filled > 0) await put();
  if (can(target, 'resize') && target.size() > written) await target.resize(written, { ...io, shrink: true });
  return written;
}

async function makeRoom(target: DiskModule, size: number, io: Io): Promise<void> {
  if (target.size() >= size) return;
  if (can(target, 'resize')) {
    await target.resize(size, io);
    return;
  }
  throw new DiskError(
    'ERR_OUT_OF_BOUNDS',
    `the stream has ${size} bytes or more, the target has ${target.size()} and cannot be made longer`,
  );
}
