import type { DiskExtent } from '@diskstack/core';
import type { QemuExtent } from './qemu.ts';

/** Our extents in the form of `qemu-img map --output json`. */
export async function asQemuMap(extents: AsyncIterable<DiskExtent>): Promise<readonly QemuExtent[]> {
  const map: QemuExtent[] = [];
  for await (const { offset, length, depth, present, kind, at } of extents) {
    map.push({
      start: offset,
      length,
      depth,
      present,
      zero: kind === 'zero',
      data: kind !== 'zero',
      ...(at === undefined ? {} : { offset: at }),
    });
  }
  return map;
}

/** An accepted difference: a disk of no bytes has no extents here, and one of no length in qemu's map. */
export function withoutEmpty(map: readonly QemuExtent[]): readonly QemuExtent[] {
  return map.filter(({ length }) => length > 0);
}

/**
 * An accepted difference: for qemu a raw file ends at a multiple of 512, so the bytes from its real end up to there are
 * zeroes of the raw layer. Here they are unallocated, like all bytes past the end of a base.
 *
 * @param size bytes of the raw file
 */
export function withoutRawTail(size: number): (map: readonly QemuExtent[]) => readonly QemuExtent[] {
  const end = Math.ceil(size / 512) * 512;
  return (map) =>
    map.flatMap((extent) => [...part(extent, 0, size), ...part(extent, end, Number.MAX_SAFE_INTEGER)]);
}

/** The part of an extent from guest offset `from` to `to`: one extent, or none. */
function part(extent: QemuExtent, from: number, to: number): readonly QemuExtent[] {
  const start = Math.max(extent.start, from);
  const length = Math.min(extent.start + extent.length, to) - start;
  if (length <= 0) return [];
  const moved = extent.offset === undefined ? {} : { offset: extent.offset + start - extent.start };
  return [{ ...extent, start, length, ...moved }];
}
