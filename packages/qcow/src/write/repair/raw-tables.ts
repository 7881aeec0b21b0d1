import type { Io } from '@diskstack/core';
import { breathe, readFully, roundUp, SECTOR, throwIfAborted } from '@diskstack/core/format';
import { type MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import { snapshotL1Problem } from '../../snapshots/l1-bounds.ts';
import { readSnapshots } from '../../snapshots/snapshot-table.ts';
import { ChangedRange } from '../file/changed-range.ts';
import { claimNamedByHeader } from '../metadata/claim-metadata.ts';
import type { ImageState } from '../metadata/image-state.ts';

/** The bytes of a table, which a repair changes in place. */
export class RawTable {
  readonly kind: MetadataKind;
  readonly at: number;
  readonly view: DataView;
  readonly #state: ImageState;
  readonly #changed = new ChangedRange();

  constructor(state: ImageState, kind: MetadataKind, at: number, view: DataView) {
    this.#state = state;
    this.kind = kind;
    this.at = at;
    this.view = view;
  }

  /** Replaces words from byte `position` on. Their sectors are written whole, as a disk does it. */
  put(position: number, ...words: readonly number[]): void {
    for (const [index, word] of words.entries()) this.view.setUint32(position + index * 4, word);
    const end = Math.min(this.view.byteLength, roundUp(position + words.length * 4, SECTOR));
    this.#changed.add(position - (position % SECTOR), end);
  }

  /** Writes the changed sectors. */
  async save(): Promise<void> {
    if (this.#changed.isEmpty) return;
    const { from, to } = this.#changed;
    const bytes = new Uint8Array(this.view.buffer, this.view.byteOffset + from, to - from);
    await this.#state.file.writeMetadata(this.kind, this.at + from, bytes);
    if (this.kind === 'an L2 table') this.#state.tables.l2.forget(this.at);
  }
}

/** Walks the tables of the image as raw bytes. Tables that overlap other metadata are skipped. */
export class RawTables {
  /** Metadata found so far. The active state comes first and wins conflicts. */
  readonly places: OverlapGuard;
  readonly #state: ImageState;

  constructor(state: ImageState) {
    this.#state = state;
    this.places = new OverlapGuard(state.image.geometry.clusterSize);
  }

  /** The L1 table of the active state, then those of the snapshots that have a possible place. */
  async *l1Tables(io: Io): AsyncIterable<RawTable> {
    const { image, file, tables } = this.#state;
    const { header, limits } = image;
    const snapshots = await readSnapshots(file.disk, header, limits, io);
    this.places.clear();
    claimNamedByHeader({ image, l1: tables.l1, snapshots }, this.places);
    const seen = new Set<number>();
    for (const [index, l1State] of [header, ...snapshots.snapshots].entries()) {
      throwIfAborted(io.signal);
      const { l1TableOffset: at, l1Size } = l1State;
      const kind = index === 0 ? 'the L1 table' : 'the L1 table of a snapshot';
      const length = l1Size * 8;
      if (length === 0 || seen.has(at) || snapshotL1Problem(l1State, image) !== undefined) continue;
      if (this.places.otherThan(kind, at, length) !== undefined) continue;
      seen.add(at);
      const bytes = await readStructure(file.disk, { what: 'an L1 table', at, length }, io);
      this.places.claim(kind, at, length);
      const table = new RawTable(this.#state, kind, at, new DataView(bytes.buffer));
      yield table;
      await this.#claimL2Tables(table);
    }
  }

  /** Every L2 table that these L1 tables name at a possible place, once. */
  async *l2Tables(io: Io): AsyncIterable<RawTable> {
    const { disk } = this.#state.file;
    const { clusterSize } = this.#state.image.geometry;
    const seen = new Set<number>();
    for await (const l1 of this.l1Tables(io)) {
      for await (const at of this.#l2Offsets(l1)) {
        if (at + clusterSize > disk.size() || seen.has(at)) continue;
        throwIfAborted(io.signal);
        seen.add(at);
        const bytes = new Uint8Array(clusterSize);
        await readFully(disk, at, bytes, io);
        yield new RawTable(this.#state, 'an L2 table', at, new DataView(bytes.buffer));
      }
    }
  }

  async #claimL2Tables(l1: RawTable): Promise<void> {
    const { l2TableBytes } = this.#state.image.geometry;
    for await (const at of this.#l2Offsets(l1)) this.places.claim('an L2 table', at, l2TableBytes);
  }

  async *#l2Offsets({ view }: RawTable): AsyncIterable<number> {
    const { disk } = this.#state.file;
    const { clusterSize } = this.#state.image.geometry;
    for (let position = 0; position < view.byteLength; position += 8) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      const at = l2TableOffset(view.getUint32(position), view.getUint32(position + 4));
      if (at === 0 || at % clusterSize !== 0 || at >= disk.size()) continue;
      const kind = this.places.kindOf(at / clusterSize);
      if (kind === undefined || kind === 'an L2 table') yield at;
    }
  }
}

/** Reads the L1 table again after a repair has changed stored tables. */
export async function reloadTables(state: ImageState): Promise<void> {
  const { header } = state.image;
  const length = header.l1Size * 8;
  const place = { what: 'an L1 table', at: header.l1TableOffset, length };
  const bytes = await readStructure(state.file.disk, place, {});
  state.tables.replaceL1(new DataView(bytes.buffer), header.l1TableOffset);
  state.forgetCompressed();
  await state.reclaimMetadata();
}
