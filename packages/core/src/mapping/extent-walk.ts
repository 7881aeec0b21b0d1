import { breathe } from '../async/breathe.ts';
import { andThen } from '../async/maybe-promise.ts';
import { can, type ExtentsIo } from '../contracts/abilities.ts';
import type { DiskModule } from '../contracts/disk-module.ts';
import type { DiskExtent } from '../contracts/extent.ts';
import { throwIfAborted } from '../errors/disk-error.ts';
import { ExtentList, NOWHERE } from './extent-list.ts';
import { placeFrom, sourceOf } from './extent-source.ts';
import type { LayerLife } from './layer-life.ts';
import { type Mapping, translateSome } from './mapping.ts';

/** A layer of a chain, as `ExtentWalk` needs it. */
export interface Layer {
  /** `undefined` for a disk over members. */
  readonly downstream: DiskModule | undefined;
  /** Disks by their number in `ExtentList`. */
  readonly sources: readonly (DiskModule | undefined)[];
  readonly mapping: Mapping;
  readonly life: LayerLife;
}

/** Exposes the layer of a disk with a mapping. One walk then covers a chain of ten, instead of ten nested async iterators. */
export const LAYER: unique symbol = Symbol('layer');

/** A range of guest bytes of one layer, and the progress of the walk in it. */
interface Visit {
  readonly layer: Layer;
  /** 0 is the layer at the top. */
  readonly depth: number;
  /** Guest bytes that are not translated yet: from `offset` to `end`. */
  offset: number;
  readonly end: number;
  /** The translated extents, the index of the next one to report, and its guest offset. */
  readonly extents: ExtentList;
  index: number;
  position: number;
}

interface Part {
  readonly offset: number;
  readonly length: number;
}

/** Minimum extents in a batch, except the last. */
const BATCH = 256;

/**
 * Walks the extents of a range of a whole chain, in guest order. It follows `base` extents into the base disk, and data of a
 * transparent layer into the disk below. It does not merge extents.
 */
export class ExtentWalk {
  readonly #io: ExtentsIo;
  /** A stack of what is still to be reported, the next item last: a range to walk, or an extent that follows such a range. */
  readonly #pending: (Visit | DiskExtent)[] = [];
  readonly #spareLists: ExtentList[] = [];

  constructor(layer: Layer, offset: number, length: number, io: ExtentsIo) {
    this.#io = io;
    this.#visit(layer, 0, offset, length);
  }

  async *batches(): AsyncGenerator<readonly DiskExtent[]> {
    let batch: DiskExtent[] = [];
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      if ('layer' in next) {
        try {
          const translating = this.#translate(next);
          if (translating !== undefined) await translating;
          const pause = breathe();
          if (pause !== undefined) await pause;
          const further = this.#report(next, batch);
          if (further !== undefined) {
            for await (const extent of further) {
              batch.push(extent);
              yield batch; // finding the next one may take long
              batch = [];
            }
          }
        } catch (error) {
          if (batch.length > 0) yield batch; // extents that were found before the error
          throw next.layer.life.withContext(error);
        }
      } else {
        batch.push(next);
      }
      if (batch.length < BATCH) continue;
      yield batch;
      batch = [];
    }
    if (batch.length > 0) yield batch;
  }

  #visit(layer: Layer, depth: number, offset: number, length: number): void {
    const extents = this.#spareLists.pop() ?? new ExtentList();
    extents.clear();
    this.#pending.push({
      layer,
      depth,
      offset,
      end: offset + length,
      extents,
      index: 0,
      position: offset,
    });
  }

  /** Translates the next part of a range, once all translated extents are reported. */
  #translate(visit: Visit): Promise<void> | undefined {
    const { layer, offset, end, extents } = visit;
    if (visit.index < extents.count || offset === end) return undefined;
    throwIfAborted(this.#io.signal);
    layer.life.check();
    const translated = (): undefined => {
      visit.index = 0;
      visit.position = offset;
      visit.offset += extents.covered;
    };
    const translating = translateSome(layer.mapping, offset, end - offset, extents, this.#io);
    return andThen(translating, translated);
  }

  /** Reports the next extent of a range: in `batch`, in `#pending`, or as the returned extents of another disk. */
  #report(visit: Visit, batch: DiskExtent[]): AsyncIterable<DiskExtent> | undefined {
    const { layer, depth, extents } = visit;
    if (visit.index === extents.count) {
      this.#spareLists.push(extents);
      return undefined;
    }
    this.#pending.push(visit);
    const { downstream, sources, mapping } = layer;
    const index = visit.index++;
    const part = { offset: visit.position, length: extents.length(index) };
    visit.position += part.length;
    const kind = extents.kind(index);
    const source = sources[extents.source(index)];
    const isEncrypted = mapping.cipher !== undefined; // the stored bytes differ from the guest bytes
    const isPlain = source !== undefined && extents.at(index) !== NOWHERE && !isEncrypted;
    const at = isPlain ? { at: extents.at(index), ...(source !== downstream && { source }) } : {};
    if (kind === 'base') return this.#reportBase(visit, part, at);
    if (kind === 'data' && source !== undefined && mapping.transparent)
      return storedExtents(downstream, source, depth, part, extents.at(index), this.#io);
    if (kind === 'unplaced') batch.push({ ...part, kind: 'data', depth, present: true });
    else batch.push({ ...part, kind, depth, present: true, ...(kind === 'compressed' ? {} : at) });
    return undefined;
  }

  /** Reports a part from the base, one layer below. Past the end of the base it reports zeroes that no layer maps. */
  #reportBase(
    { layer, depth }: Visit,
    { offset, length }: Part,
    at: Pick<DiskExtent, 'at' | 'source'>,
  ): AsyncIterable<DiskExtent> | undefined {
    const { base } = layer.mapping;
    const covered = base === undefined ? 0 : Math.min(length, Math.max(0, base.size() - offset));
    if (covered < length) {
      const rest = { offset: offset + covered, length: length - covered };
      const reserved = at.at === undefined ? {} : { ...at, at: at.at + covered };
      this.#pending.push({ ...rest, kind: 'zero', depth, present: false, ...reserved });
    }
    if (base === undefined || covered === 0) return undefined;
    const below = layerOf(base);
    if (below === undefined) return otherExtents(base, depth + 1, { offset, length: covered }, this.#io);
    this.#visit(below, depth + 1, offset, covered);
    return undefined;
  }
}

/** Returns the layer of a disk that has a mapping. */
function layerOf(disk: DiskModule): Layer | undefined {
  return LAYER in disk ? (disk as { readonly [LAYER]: Layer })[LAYER] : undefined;
}

/** The extents of a base without a mapping. */
async function* otherExtents(
  base: DiskModule,
  depth: number,
  { offset, length }: Part,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  if (!can(base, 'extents')) {
    yield { offset, length, kind: 'data', depth, present: true, at: offset };
    return;
  }
  for await (const extent of base.extents(offset, length, io)) {
    const { at: _at, source: _source, ...answer } = extent;
    const expected = extent.depth === 0 ? sourceOf(base, { depth: 0 }) : undefined;
    yield { ...answer, depth: extent.depth + depth, ...placeFrom(base, extent, expected) };
  }
}

/**
 * The extents that a source reports for bytes of a transparent layer. `source` is omitted for the downstream disk, the default.
 */
async function* storedExtents(
  downstream: DiskModule | undefined,
  source: DiskModule,
  depth: number,
  part: Part,
  at: number,
  io: ExtentsIo,
): AsyncGenerator<DiskExtent> {
  const named = source === downstream ? {} : { source };
  if (!can(source, 'extents')) {
    yield { ...part, kind: 'data', depth, present: true, at, ...named };
    return;
  }
  for await (const below of source.extents(at, part.length, io)) {
    const offset = part.offset + below.offset - at;
    const answer = { offset, length: below.length, depth, present: true };
    // If the disk below is an image, its guest bytes are the storage here. A range of other disks forwards their extents.
    if (source === downstream && can(source, 'info'))
      yield { ...answer, kind: below.kind === 'zero' ? 'zero' : 'data', at: below.offset, ...named };
    else yield { ...answer, kind: below.kind, ...placeFrom(source, below, downstream) };
  }
}
