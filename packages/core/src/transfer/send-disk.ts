import type { DiskModule } from '../contracts/disk-module.ts';
import type { TransferOptions, WritingOptions } from './copy-disk.ts';
import { diskBytes } from './disk-bytes.ts';
import { pieceOf, rateLimit } from './rate-limit.ts';

/** A target that takes bytes in order: a pipe, an upload, a file that cannot seek. */
export interface SequentialSink {
  /** Writes bytes. The caller may reuse `bytes` after the promise resolves. */
  write(bytes: Uint8Array): Promise<void>;
  /** Writes `length` zeroes. Default: zeroes are passed to `write`. */
  zeroes?(length: number): Promise<void>;
  /** Called once all content is written. Not called after a failure. */
  end?(): Promise<void>;
}

/** Bytes of one write. */
const PIECE = 1024 * 1024;

/**
 * Sends the content of a disk to a sink, from the first byte to the last. Ranges that the extents report as zero are not read.
 */
export async function sendDisk(
  source: DiskModule,
  sink: SequentialSink,
  options: TransferOptions & Pick<WritingOptions, 'bytesPerSecond'> = {},
): Promise<void> {
  const { signal, onProgress, bytesPerSecond } = options;
  const total = source.size();
  const pieceBytes = pieceOf(PIECE, bytesPerSecond);
  const limit = rateLimit(bytesPerSecond);
  let zeroes: Uint8Array | undefined;
  let done = 0;

  const send = async (length: number, work: () => Promise<void>): Promise<void> => {
    if (limit !== undefined) await limit.take(length, signal);
    await work();
    done += length;
    onProgress?.({ done, total });
  };
  for await (const { length, bytes } of diskBytes(source, { signal }, pieceBytes)) {
    if (bytes !== undefined) await send(length, () => sink.write(bytes));
    else if (sink.zeroes !== undefined) await send(length, async () => sink.zeroes?.(length));
    else {
      zeroes ??= new Uint8Array(pieceBytes);
      for (let left = length; left > 0; ) {
        const part = zeroes.subarray(0, Math.min(left, pieceBytes));
        await send(part.length, () => sink.write(part));
        left -= part.length;
      }
    }
  }
  await sink.end?.();
}

/** The content of a disk as a Web stream, which reads only on demand. `Readable.fromWeb` converts it to a Node stream. */
export function diskStream(
  source: DiskModule,
  options: { readonly signal?: AbortSignal } = {},
): ReadableStream<Uint8Array> {
  const parts = diskBytes(source, options);
  let zeroesLeft = 0;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        if (zeroesLeft === 0) {
          const { done, value } = await parts.next();
          if (done) return controller.close();
          if (value.bytes !== undefined) return controller.enqueue(value.bytes.slice());
          zeroesLeft = value.length;
        }
        const length = Math.min(zeroesLeft, PIECE);
        zeroesLeft -= length;
        controller.enqueue(new Uint8Array(length));
      },
      async cancel() {
        await parts.return();
      },
    },
    { highWaterMark: 0 },
  );
}
