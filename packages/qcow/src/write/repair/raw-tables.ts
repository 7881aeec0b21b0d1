import { breathe, type Io, readFully, throwIfAborted } from '@diskstack/core';
import { l2TableOffset } from '../../layout/l1-entry.ts';
import { readSnapshots } from '../../snapshots.ts';
import { readStructure } from '../../structure.ts';
import type { WrittenImage } from '../commit.ts';
import type { MetadataKind } from '../overlap-guard.ts';

/** Bytes that reach a disk together. */
const SECTOR = 512;

/** A table of the image as its bytes are, which a repair changes where it is. */
export class RawTable {
  readonly kind: MetadataKind;
  readonly at: number;
  readonly view: DataView;
  readonly #written: WrittenImage;
  #from = Number.POSITIVE_INFINITY;
  #to = 0;

  constructor(written: WrittenImage, kind: MetadataKind, at: number, view: DataView) {
    this.#written = written;
    this.kind = kind;
    this.at = at;
    this.view = view;
  }

  /** Changes words from byte `position` on. */
  put(position: number, ...words: readonly number[]): void {
    for (const [index, word] of words.entries()) this.view.setUint32(position + index * 4, word);
    this.#from = Math.min(this.#from, position - (position % SECTOR));
    this.#to = Math.max(this.#to, Math.ceil((position + words.length * 4) / SECTOR) * SECTOR);
  }

  /** Writes what has changed. */
  async save(): Promise<void> {
    const { buffer, byteOffset, byteLength } = this.view;
    const to = Math.min(this.#to, byteLength);
    if (this.#from >= to) return;
    const bytes = new Uint8Array(buffer, byteOffset + this.#from, to - this.#from);
    await this.#written.file.writeMetadata(this.kind, this.at + this.#from, bytes);
    if (this.kind === 'an L2 table') this.#written.tables.l2.forget(this.at);
  }
}

/** The L1 table of the active state and those of all snapshots. */
export async function* rawL1Tables(written: WrittenImage, io: Io): AsyncIterable<RawTable> {
  const { header, limits } = written.image;
  const { disk } = written.file;
  const { snapshots } = await readSnapshots(disk, header, limits, io);
  const seen = new Set<number>();
  const states = [header, ...snapshots];
  for (const [index, { l1TableOffset: at, l1Size }] of states.entries()) {
    throwIfAborted(io.signal);
    const length = l1Size * 8;
    if (length === 0 || seen.has(at)) continue;
    seen.add(at);
    const bytes = await readStructure(disk, { what: 'an L1 table', at, length }, io);
    const kind = index === 0 ? 'the L1 table' : 'the L1 table of a snapshot';
    yield new RawTable(written, kind, at, new DataView(bytes.buffer));
  }
}

/** Every L2 table that these L1 tables name at a usable place, once. */
export async function* rawL2Tables(written: WrittenImage, io: Io): AsyncIterable<RawTable> {
  const { disk } = written.file;
  const { clusterSize } = written.image.geometry;
  const seen = new Set<number>();
  for await (const { view } of rawL1Tables(written, io)) {
    for (let position = 0; position < view.byteLength; position += 8) {
      const pause = breathe();
      if (pause !== undefined) await pause;
      const at = l2TableOffset(view.getUint32(position), view.getUint32(position + 4));
      if (at === 0 || at % clusterSize !== 0 || at + clusterSize > disk.size() || seen.has(at)) continue;
      throwIfAborted(io.signal);
      seen.add(at);
      const bytes = new Uint8Array(clusterSize);
      await readFully(disk, at, bytes, io);
      yield new RawTable(written, 'an L2 table', at, new DataView(bytes.buffer));
    }
  }
}

/** What is in memory of the mapping is what the image has, after tables have changed below it. */
export async function reloadTables(written: WrittenImage): Promise<void> {
  const { header } = written.image;
  const length = header.l1Size * 8;
  const place = { what: 'an L1 table', at: header.l1TableOffset, length };
  const bytes = await readStructure(written.file.disk, place, {});
  written.tables.replaceL1(new DataView(bytes.buffer), header.l1TableOffset);
  written.forgetCompressed();
  await written.reclaim();
}
