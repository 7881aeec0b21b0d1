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

/** A layer of a chain, as the walk over its extents sees it. */
export interface Layer {
  /** Absent on a disk over several. */
  readonly downstream: DiskModule | undefined;
  /** By their number in `ExtentList`. */
  readonly sources: readonly (DiskModule | undefined)[];
  readonly mapping: Mapping;
  readonly life: LayerLife;
}

/** A disk that has a mapping lets others walk it: a chain of ten needs no ten iterators then, each with its promises. */
export const LAYER: unique symbol = Symbol('layer');

/** A range of guest bytes of one layer, and how far the walk has come in it. */
interface Visit {
  readonly layer: Layer;
  /** 0 is the layer that was asked. */
  readonly depth: number;
  /** Guest bytes that are still to be translated. */
  offset: number;
  readonly end: number;
  /** What has been translated, the number of the first extent that was not handed on, and its guest offset. */
  readonly extents: ExtentList;
  index: number;
  position: number;
}

interface Part {
  readonly offset: number;
  readonly length: number;
}

/** Extents that are handed on together. */
const BATCH = 256;

/**
 * The extents of a range down a chain, in guest order: `base` is followed into the base disk, and what a transparent
 * layer has below it is looked up there. One walk for the whole chain; neighbours are not merged.
 */
export class ExtentWalk {
  readonly #io: ExtentsIo;
  /** What is still to be handed on, the next one last: a range to look into, or an extent that follows one. */
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
          const elsewhere = this.#tell(next, batch);
          if (elsewhere !== undefined) {
            for await (const extent of elsewhere) {
              batch.push(extent);
              yield batch; // the next one may be far
              batch = [];
            }
          }
        } catch (error) {
          if (batch.length > 0) yield batch; // what was found before
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

  /** Translates more of a range when all that was translated is handed on. */
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

  /** Puts the next extent of a range into the batch, or on top of what is pending; or answers who knows of it. */
  #tell(visit: Visit, batch: DiskExtent[]): AsyncIterable<DiskExtent> | undefined {
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
    const isEncrypted = mapping.cipher !== undefined; // what is stored is not as it is
    const isPlain = source !== undefined && extents.at(index) !== NOWHERE && !isEncrypted;
    const at = isPlain ? { at: extents.at(index), ...(source !== downstream && { source }) } : {};
    if (kind === 'base') return this.#tellBase(visit, part, at);
    if (kind === 'data' && source !== undefined && mapping.transparent)
      return storedExtents(downstream, source, depth, part, extents.at(index), this.#io);
    if (kind === 'unplaced') batch.push({ ...part, kind: 'data', depth, present: true });
    else batch.push({ ...part, kind, depth, present: true, ...(kind === 'compressed' ? {} : at) });
    return undefined;
  }

  /** What the base has of this part, one layer further down; and zeroes that no layer holds where it has ended. */
  #tellBase(
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

/** The layer of a disk that lets others walk it. */
function layerOf(disk: DiskModule): Layer | undefined {
  return LAYER in disk ? (disk as { readonly [LAYER]: Layer })[LAYER] : undefined;
}

/** What a base says of itself that has no mapping. */
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

/** What a source knows of bytes that a layer passes through. The downstream disk goes without saying. */
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
    // An image below has bytes of its own, whatever they are stored as. A run of bytes of other disks passes their answer on.
    if (source === downstream && can(source, 'info'))
      yield { ...answer, kind: below.kind === 'zero' ? 'zero' : 'data', at: below.offset, ...named };
    else yield { ...answer, kind: below.kind, ...placeFrom(source, below, downstream) };
  }
}
