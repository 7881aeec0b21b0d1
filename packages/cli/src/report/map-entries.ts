import { can, type DiskExtent, type DiskModule } from '@diskstack/core';
import { roundUp, SECTOR } from '@diskstack/core/format';
import { chainOf, locationOf } from '../session/session.ts';

/** One line of a map, with the keys of `qemu-img map --output json`. */
export interface MapEntry {
  readonly start: number;
  readonly length: number;
  readonly depth: number;
  readonly present: boolean;
  readonly zero: boolean;
  readonly data: boolean;
  /** Where the bytes are in the file of that depth, or in `file`. Compressed data has no such place. */
  readonly offset?: number;
  /** Where the bytes are not in the file of that depth: the data file, or the disk that a logical volume is on. */
  readonly file?: string;
  /** The bytes are stored compressed. */
  readonly isCompressed?: true;
}

/** The map of a disk as in qemu-img: from `start` on, of at most `most` bytes. */
export async function* mapEntries(
  disk: DiskModule,
  start: number,
  most = Number.MAX_SAFE_INTEGER,
): AsyncGenerator<MapEntry> {
  const sizes = oddRawSizes(disk);
  const whole = sizes[0] === undefined ? disk.size() : roundUp(sizes[0], SECTOR);
  const length = Math.min(most, whole - start);
  if (length <= 0) {
    // qemu-img prints one entry for an empty range.
    yield { start, length: 0, depth: 0, present: false, zero: false, data: false };
    return;
  }
  yield* merged(entriesOf(withRoundedTails(extentsOf(disk, start, length), sizes, start, start + length)));
}

function extentsOf(disk: DiskModule, start: number, length: number): AsyncIterable<DiskExtent> {
  return can(disk, 'extents')
    ? disk.extents(start, length, { findHoles: true })
    : oneExtent(start, Math.min(length, disk.size() - start));
}

/** A disk that does not report extents is data as a whole. */
async function* oneExtent(offset: number, length: number): AsyncGenerator<DiskExtent> {
  if (length > 0) yield { offset, length, kind: 'data', depth: 0, present: true, at: offset };
}

/** By depth: the sizes of raw layers that are not a multiple of a sector. */
function oddRawSizes(disk: DiskModule): readonly (number | undefined)[] {
  return chainOf(disk).map((layer) => {
    const isRaw = can(layer, 'info') && layer.info().format === 'raw';
    return isRaw && layer.size() % SECTOR !== 0 ? layer.size() : undefined;
  });
}

/**
 * QEMU counts a raw file in sectors of 512 bytes and fills the last one with zeroes. Everywhere else in diskstack sizes are
 * exact. Scripts expect the lines of qemu-img here, so the rest of that sector is shown as zeroes of the raw layer: after
 * the end of the top, and where an overlay is longer than its raw base.
 */
async function* withRoundedTails(
  extents: AsyncIterable<DiskExtent>,
  sizes: readonly (number | undefined)[],
  start: number,
  end: number,
): AsyncGenerator<DiskExtent> {
  for await (const extent of extents) {
    const size = sizes[extent.depth + 1];
    const tailEnd = size === undefined || extent.present ? 0 : roundUp(size, SECTOR);
    const length = Math.min(extent.length, tailEnd - extent.offset);
    if (length <= 0) {
      yield extent;
      continue;
    }
    const { offset, kind, depth } = extent;
    yield { offset, length, kind, depth: depth + 1, present: true, at: offset };
    if (length < extent.length) yield { ...extent, offset: offset + length, length: extent.length - length };
  }
  const size = sizes[0];
  if (size !== undefined && size < end) {
    const offset = Math.max(size, start);
    yield { offset, length: end - offset, kind: 'zero', depth: 0, present: true, at: offset };
  }
}

async function* entriesOf(extents: AsyncIterable<DiskExtent>): AsyncGenerator<MapEntry> {
  for await (const { offset, length, kind, depth, present, at, source } of extents) {
    const zero = kind === 'zero';
    const file = source && locationOf(source);
    const place =
      at === undefined || kind === 'compressed' ? {} : { offset: at, ...(file !== undefined && { file }) };
    const form = kind === 'compressed' ? ({ isCompressed: true } as const) : {};
    yield { start: offset, length, depth, present, zero, data: !zero, ...place, ...form };
  }
}

/** Merges neighbours that differ only in their place. */
async function* merged(entries: AsyncIterable<MapEntry>): AsyncGenerator<MapEntry> {
  let last: MapEntry | undefined;
  for await (const entry of entries) {
    if (last !== undefined && continues(last, entry)) {
      last = { ...last, length: last.length + entry.length };
      continue;
    }
    if (last !== undefined) yield last;
    last = entry;
  }
  if (last !== undefined) yield last;
}

function continues(last: MapEntry, next: MapEntry): boolean {
  return (
    last.depth === next.depth &&
    last.present === next.present &&
    last.zero === next.zero &&
    last.data === next.data &&
    last.file === next.file &&
    last.isCompressed === next.isCompressed &&
    (last.offset === undefined ? next.offset === undefined : last.offset + last.length === next.offset)
  );
}
