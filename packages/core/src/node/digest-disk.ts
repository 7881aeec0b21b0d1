import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { DiskError, throwIfAborted } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { TransferOptions } from '../transfer/copy-disk.ts';
import { diskRuns, piecesOf, type Run } from '../transfer/disk-runs.ts';
import { overlapped } from '../transfer/overlapped.ts';

/** Bytes per read. */
const PIECE = 1024 * 1024;
/** Pieces in flight: some are read while another is hashed. */
const IN_FLIGHT = 3;

/**
 * Returns the digest of all guest bytes in hexadecimal, the same as that of `sha256sum` for the raw disk. Ranges that the extents
 * report as zero are not read.
 *
 * @param algorithm a name that OpenSSL knows: `'sha256'`, `'sha512'`, `'sha1'`, `'md5'`
 */
export async function digestDisk(
  disk: DiskModule,
  algorithm = 'sha256',
  { signal, onProgress }: TransferOptions = {},
): Promise<string> {
  const hash = await hashOf(algorithm);
  const io: Io = { signal };
  const total = disk.size();
  const zeroes = new Uint8Array(Math.min(PIECE, total));
  let digested: Promise<void> = Promise.resolve();

  async function* pieces(): AsyncGenerator<Run> {
    for await (const run of diskRuns(disk, io)) yield* piecesOf(run, PIECE);
  }
  /** Reads pieces concurrently and hashes them in order. */
  const work = async ({ offset, length, zero }: Run, buffer: Uint8Array): Promise<number> => {
    throwIfAborted(signal);
    const bytes = (zero ? zeroes : buffer).subarray(0, length);
    const before = digested;
    const reading = zero ? undefined : readFully(disk, offset, bytes, { signal, ahead: true });
    digested = Promise.all([before, reading]).then(() => {
      hash.update(bytes);
    });
    await digested;
    return length;
  };

  const ring = Array.from({ length: IN_FLIGHT }, () => transferBuffer(Math.min(PIECE, total)));
  let done = 0;
  for await (const length of overlapped(pieces(), ring, work)) {
    done += length;
    onProgress?.({ done, total });
  }
  return hash.digest('hex');
}

/** Loads `node:crypto` only when a digest is needed, because that takes 6 ms. */
async function hashOf(algorithm: string) {
  const { createHash } = await import('node:crypto');
  try {
    return createHash(algorithm);
  } catch (cause) {
    throw new DiskError(
      'ERR_ARGUMENT',
      `the digest ${quote(algorithm)} is not supported by this version of Node`,
      { cause },
    );
  }
}
