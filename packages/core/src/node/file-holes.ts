import type { Stats } from 'node:fs';
import type { DiskModule, Io } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';

/** Unit in which file systems keep holes. */
const BLOCK = 4096;
const CHUNK = 1024 * 1024;
const ZEROES = Buffer.alloc(BLOCK);

/**
 * The holes of a file. Node offers no way to ask the file system for them (`SEEK_HOLE`), only how many bytes the file
 * takes on disk. A file that takes as many as it is long has no holes, and one that takes none is a hole; between those
 * the content is read and each block of zeroes counted as a hole, until as much data was seen as the file takes: the
 * rest is a hole then. An extent of zeroes is thus always true; a block of written zeroes is one too.
 */
export async function* fileHoles(
  disk: DiskModule,
  stats: Stats,
  offset: number,
  length: number,
  io: Io,
): AsyncGenerator<DiskExtent> {
  if (length === 0) return;
  const allocated = stats.blocks * 512;
  if (!stats.isFile() || allocated >= stats.size || allocated === 0) {
    yield extent(stats.isFile() && allocated === 0 ? 'zero' : 'data', offset, length);
    return;
  }
  const end = offset + length;
  const buffer = new Uint8Array(Math.min(CHUNK, length + BLOCK));
  let seen = 0;
  let runStart = offset;
  let runKind: 'data' | 'zero' | undefined;
  for (let at = offset; at < end; ) {
    // The rest is a hole once all data has been seen; that is known only when the look began at the start.
    const isRest = offset === 0 && seen >= allocated;
    const bytes = isRest
      ? undefined
      : await disk.read(at, Math.min(CHUNK - (at % BLOCK), end - at), { ...io, into: buffer });
    for (const chunkEnd = bytes === undefined ? end : at + bytes.length; at < chunkEnd; ) {
      const blockEnd = bytes === undefined ? end : Math.min(chunkEnd, at + BLOCK - (at % BLOCK));
      const kind =
        bytes === undefined || isZero(bytes, at - (chunkEnd - bytes.length), blockEnd - at) ? 'zero' : 'data';
      if (kind === 'data') seen += BLOCK;
      if (runKind !== undefined && kind !== runKind) {
        yield extent(runKind, runStart, at - runStart);
        runStart = at;
      }
      runKind = kind;
      at = blockEnd;
    }
  }
  yield extent(runKind ?? 'data', runStart, end - runStart);
}

function isZero(bytes: Uint8Array, at: number, length: number): boolean {
  return (
    Buffer.compare(
      bytes.subarray(at, at + length),
      length === BLOCK ? ZEROES : ZEROES.subarray(0, length),
    ) === 0
  );
}

function extent(kind: 'data' | 'zero', offset: number, length: number): DiskExtent {
  return { offset, length, kind, depth: 0, present: true, at: offset };
}
