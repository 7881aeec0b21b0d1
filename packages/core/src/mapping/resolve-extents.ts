import { can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import { throwIfAborted } from '../contracts/errors.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { ExtentList, NOWHERE } from './extent-list.ts';
import { type Mapping, translateSome } from './mapping.ts';

/**
 * The extents of a mapping as a caller sees them: `base` is followed into the base disk, what a transparent layer has
 * below it is looked up there, and neighbours with one answer are one extent.
 */
export async function* resolveExtents(
  downstream: DiskModule,
  mapping: Mapping,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  let last: DiskExtent | undefined;
  for await (const extent of unmergedExtents(downstream, mapping, offset, length, io)) {
    if (last === undefined) {
      last = extent;
    } else if (continues(last, extent)) {
      last = { ...last, length: last.length + extent.length };
    } else {
      yield last;
      last = extent;
    }
  }
  if (last !== undefined) yield last;
}

/** Whether `next` gives the same answer as `last`, which it follows. */
export function continues(last: DiskExtent, next: DiskExtent): boolean {
  return (
    last.kind === next.kind &&
    last.depth === next.depth &&
    last.present === next.present &&
    (last.at === undefined ? next.at === undefined : last.at + last.length === next.at)
  );
}

async function* unmergedExtents(
  downstream: DiskModule,
  mapping: Mapping,
  offset: number,
  length: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  const extents = new ExtentList();
  const end = offset + length;
  while (offset < end) {
    throwIfAborted(io.signal);
    await translateSome(mapping, offset, end - offset, extents, io);
    for (let index = 0; index < extents.count; index++) {
      const part = { offset, length: extents.length(index) };
      const isPlain = extents.at(index) !== NOWHERE && mapping.cipher === undefined; // what is encrypted is not as it is
      const at = isPlain ? { at: extents.at(index) } : {};
      offset += part.length;
      const kind = extents.kind(index);
      if (kind === 'base') yield* baseExtents(mapping.base, part, at, io);
      else if (kind === 'data' && mapping.transparent)
        yield* downstreamExtents(downstream, part, extents.at(index), io);
      else if (kind === 'compressed') yield { ...part, kind, depth: 0, present: true };
      else yield { ...part, kind, depth: 0, present: true, ...at };
    }
  }
}

interface Part {
  readonly offset: number;
  readonly length: number;
}

/** What the base says of this part, one layer further down; and zeroes that no layer holds where it has ended. */
async function* baseExtents(
  base: DiskModule | undefined,
  part: Part,
  at: { readonly at?: number },
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  const covered = base === undefined ? 0 : Math.min(part.length, Math.max(0, base.size() - part.offset));
  if (base !== undefined && covered > 0) {
    if (can(base, 'extents')) {
      for await (const extent of base.extents(part.offset, covered, io))
        yield { ...extent, depth: extent.depth + 1 };
    } else {
      yield { offset: part.offset, length: covered, kind: 'data', depth: 1, present: true, at: part.offset };
    }
  }
  if (covered === part.length) return;
  const reserved = at.at === undefined ? {} : { at: at.at + covered };
  yield {
    offset: part.offset + covered,
    length: part.length - covered,
    kind: 'zero',
    depth: 0,
    present: false,
    ...reserved,
  };
}

/** What the downstream disk knows of bytes that this layer passes through. */
async function* downstreamExtents(
  downstream: DiskModule,
  part: Part,
  at: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  if (!can(downstream, 'extents')) {
    yield { ...part, kind: 'data', depth: 0, present: true, at };
    return;
  }
  for await (const below of downstream.extents(at, part.length, io)) {
    const kind = below.kind === 'zero' ? 'zero' : 'data';
    const offset = part.offset + below.offset - at;
    yield { offset, length: below.length, kind, depth: 0, present: true, at: below.offset };
  }
}
