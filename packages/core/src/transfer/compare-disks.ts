import { awaitAll } from '../async/await-all.ts';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { readFully } from '../io/range.ts';
import { transferBuffer } from '../io/transfer-buffer.ts';
import type { TransferOptions } from './copy-disk.ts';
import { paddedRuns, piecesOf, type Run } from './disk-runs.ts';
import { firstDifference } from './first-difference.ts';
import { inStep, type Step } from './in-step.ts';
import { overlapped } from './overlapped.ts';
import { firstNonZero } from './zero-bytes.ts';

/** `offset`: guest offset of the first byte that differs. `sizesDiffer`: one disk is longer, and has only zeroes there. */
export type Comparison =
  | { readonly identical: true; readonly sizesDiffer: boolean }
  | { readonly identical: false; readonly offset: number };

/** Bytes per read of each disk. */
const PIECE = 1024 * 1024;
const IN_FLIGHT = 4;

interface Outcome {
  readonly length: number;
  /** Guest offset of the first difference. */
  readonly difference?: number;
}

/**
 * Compares the content of two disks. Ranges that both disks report as zero are not read. Past the end of the shorter disk, the
 * longer one is compared with zeroes.
 */
export async function compareDisks(
  a: DiskModule,
  b: DiskModule,
  options: TransferOptions = {},
): Promise<Comparison> {
  const { signal, onProgress } = options;
  const io: Io = { signal };
  const total = Math.max(a.size(), b.size());
  let done = 0;
  const report = (length: number): void => {
    done += length;
    onProgress?.({ done, total });
  };

  async function* pairs(): AsyncGenerator<Step<Run, Run>> {
    for await (const pair of inStep(paddedRuns(a, total, io), paddedRuns(b, total, io))) {
      if (pair.a.zero && pair.b.zero) {
        report(pair.length);
        continue;
      }
      for (const { offset, length } of piecesOf({ ...pair, zero: false }, PIECE))
        yield { ...pair, offset, length };
    }
  }

  const work = async (pair: Step<Run, Run>, buffers: Buffers): Promise<Outcome> => {
    throwIfAborted(signal);
    const { offset, length, a: inA, b: inB } = pair;
    const bytesOfA = buffers.a.subarray(0, length);
    const bytesOfB = buffers.b.subarray(0, length);
    await awaitAll([
      ...(inA.zero ? [] : [readPiece(a, offset, bytesOfA, io)]),
      ...(inB.zero ? [] : [readPiece(b, offset, bytesOfB, io)]),
    ]);
    const index = inA.zero
      ? firstNonZero(bytesOfB)
      : inB.zero
        ? firstNonZero(bytesOfA)
        : firstDifference(bytesOfA, bytesOfB);
    return index === -1 ? { length } : { length, difference: offset + index };
  };

  for await (const { length, difference } of overlapped(pairs(), ring(total), work)) {
    if (difference !== undefined) return { identical: false, offset: difference };
    report(length);
  }
  return { identical: true, sizesDiffer: a.size() !== b.size() };
}

interface Buffers {
  readonly a: Uint8Array;
  readonly b: Uint8Array;
}

function ring(total: number): readonly Buffers[] {
  const bytes = Math.min(PIECE, total);
  return Array.from({ length: IN_FLIGHT }, () => ({ a: transferBuffer(bytes), b: transferBuffer(bytes) }));
}

/** Async, so that a synchronous failure rejects, and the read of the other disk is still awaited. */
async function readPiece(disk: DiskModule, offset: number, into: Uint8Array, io: Io): Promise<void> {
  await readFully(disk, offset, into, io);
}
