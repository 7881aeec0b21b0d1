import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../contracts/errors.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { TransferOptions, WritingOptions } from './copy-disk.ts';
import { diskRuns, piecesOf, type Run } from './disk-runs.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';

/** Takes bytes one after the other. They may be used again by the caller when it resolves. */
export type ByteSink = (bytes: Uint8Array) => Promise<void>;

/** Bytes handed on at a time. */
const PIECE = 1024 * 1024;

/**
 * Sends the content of a disk to a stream, from its first byte to its last. Zeroes are sent as zeroes, and not read. One
 * piece is read while the one before is sent.
 */
export async function sendDisk(
  source: DiskModule,
  sink: ByteSink,
  options: TransferOptions & Pick<WritingOptions, 'bytesPerSecond'> = {},
): Promise<void> {
  const { signal, onProgress, bytesPerSecond } = options;
  const io: Io = { signal };
  const total = source.size();
  const pieceBytes = Math.min(pieceOf(PIECE, bytesPerSecond), total);
  const limit = rateLimit(bytesPerSecond);
  const zeroes = new Uint8Array(pieceBytes);
  const buffers = [transferBuffer(pieceBytes), transferBuffer(pieceBytes)] as const;
  let done = 0;

  const fetch = async ({ offset, length, zero }: Run, buffer: Uint8Array): Promise<Uint8Array> => {
    if (zero) return zeroes.subarray(0, length);
    const bytes = buffer.subarray(0, length);
    await readFully(source, offset, bytes, { ...io, ahead: true });
    return bytes;
  };
  const send = async (bytes: Uint8Array): Promise<void> => {
    if (limit !== undefined) await limit.take(bytes.length, signal);
    await sink(bytes);
    done += bytes.length;
    onProgress?.({ done, total });
  };

  let turn: 0 | 1 = 0;
  let ahead: Promise<Uint8Array> | undefined;
  try {
    for await (const run of diskRuns(source, io)) {
      for (const piece of piecesOf(run, pieceBytes)) {
        throwIfAborted(signal);
        const before = ahead;
        ahead = fetch(piece, buffers[turn]);
        ahead.catch(() => {}); // its turn to be awaited comes later
        turn = turn === 0 ? 1 : 0;
        if (before !== undefined) await send(await before);
      }
    }
    if (ahead !== undefined) await send(await ahead);
  } finally {
    await Promise.allSettled([ahead]); // nothing reads any more when it ends
  }
}
