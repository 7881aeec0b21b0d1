import type { Stats } from 'node:fs';
import type { Able, ExtentsIo } from '../../contracts/abilities.ts';
import type { DiskExtent } from '../../contracts/extent.ts';
import { BLOCK, countsBlocks } from './block-counts.ts';

const CHUNK = 1024 * 1024;
const ZEROES = Buffer.alloc(BLOCK);

/**
 * Yields the extents of a file that no host can ask about: data, and holes as zeroes. Node reports only the number of allocated
 * bytes.
 *
 * - A file with as many allocated bytes as its length has no holes that are worth a search.
 * - Otherwise the content is read if the caller sets `findHoles`, and each block of zeroes counts as a hole.
 * - If the allocated bytes are exact (`countsBlocks`), a file without any is one hole, and the rest of a file is a hole once that
 *   much data has been found.
 *
 * A zero extent always reads as zeroes. It may also be a block of zeroes that was written.
 */
export async function* readHoles(
  disk: Able<'location'>,
  stats: Stats,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  if (length === 0) return;
  const allocated = stats.blocks * 512;
  const mayStop = stats.isFile() && allocated < stats.size && (await countsBlocks(disk.location));
  const isHole = mayStop && allocated === 0;
  if (!io.findHoles || !stats.isFile() || isHole || allocated >= stats.size) {
    yield extent(isHole ? 'zero' : 'data', offset, length);
    return;
  }
  const end = offset + length;
  const buffer = new Uint8Array(Math.min(CHUNK, length + BLOCK));
  let seen = 0;
  let runStart = offset;
  let runKind: 'data' | 'zero' | undefined;
  for (let at = offset; at < end; ) {
    // The rest is a hole once all data has been found, which is known only if the search began at byte 0.
    const isRest = mayStop && offset === 0 && seen >= allocated;
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
