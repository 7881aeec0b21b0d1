import { type Able, can, type DiskModule } from '@diskstack/core';
import { bitmapExtentsOf, bitmapsOf } from './bitmaps.ts';
import type { Random } from './content.ts';

/** Bytes that the model remembers together. */
const UNIT = 512;
const GRANULARITIES = [512, 4096, 32_768, 65_536, 1_048_576];

interface ModelBitmap {
  readonly granularity: number;
  enabled: boolean;
  /** The content when it was made or enabled. */
  start: Uint8Array;
  /** 1 for each unit that must be dirty, whatever its content. */
  must: Uint8Array;
}

/**
 * What the bitmaps of an image may not say less than: every byte that differs from what it was when the bitmap was made,
 * while it was enabled. What a resize has taken away is forgotten, as qemu has it.
 */
export class BitmapModel {
  readonly #bitmaps = new Map<string, ModelBitmap>();
  #count = 0;

  /** Changes one bitmap of the disk at random. `content` is the disk's. */
  async change(disk: DiskModule, next: Random, content: Uint8Array): Promise<string> {
    const { bitmapStore } = storeOf(disk);
    const names = [...this.#bitmaps.keys()];
    const name = names[next(names.length)];
    const deed = name === undefined || names.length < 3 ? 0 : 1 + next(5);
    if (name === undefined || deed === 0) return await this.#add(disk, next, content);
    const bitmap = this.#bitmaps.get(name) as ModelBitmap;
    if (deed === 1) {
      await bitmapStore.remove(name);
      this.#bitmaps.delete(name);
    } else if (deed === 2) {
      await bitmapStore.clear(name);
      bitmap.start = content.slice();
      bitmap.must.fill(0);
    } else if (deed === 3) {
      const other = names[next(names.length)] as string;
      const source = this.#bitmaps.get(other) as ModelBitmap;
      if (!can(disk, 'bitmapExtents')) throw new Error('the disk has no bitmaps');
      await bitmapStore.merge(name, disk.bitmapExtents(other));
      merge(bitmap.must, mustOf(source, content));
    } else {
      await bitmapStore.setAuto(name, deed === 4);
      bitmap.must = mustOf(bitmap, content);
      bitmap.start = content.slice();
      bitmap.enabled = deed === 4;
    }
    return ` ${['', 'remove', 'clear', 'merge', 'enable', 'disable'][deed]} ${name}`;
  }

  async #add(disk: DiskModule, next: Random, content: Uint8Array): Promise<string> {
    const name = `b${this.#count++}`;
    const granularity = GRANULARITIES[next(GRANULARITIES.length)] as number;
    const enabled = next(4) !== 0;
    await storeOf(disk).bitmapStore.add({ name, granularity, auto: enabled });
    const must = new Uint8Array(Math.ceil(content.length / UNIT));
    this.#bitmaps.set(name, { granularity, enabled, start: content.slice(), must });
    return ` add ${name}/${granularity}`;
  }

  /** The disk has this content, and another size than before. */
  resized(content: Uint8Array): void {
    for (const bitmap of this.#bitmaps.values()) {
      bitmap.must = fitted(bitmap.must, Math.ceil(content.length / UNIT));
      bitmap.start = fitted(bitmap.start, content.length);
    }
  }

  /** Throws where a bitmap of the disk is not consistent, or calls too little dirty. */
  async judge(disk: DiskModule, content: Uint8Array): Promise<void> {
    const listed = new Map(bitmapsOf(disk).map((bitmap) => [bitmap.name, bitmap]));
    if (listed.size !== this.#bitmaps.size)
      throw new Error(`${listed.size} bitmaps, not ${this.#bitmaps.size}`);
    for (const [name, bitmap] of this.#bitmaps) {
      const { consistent, granularity, flags } = listed.get(name) ?? {};
      if (consistent !== true || granularity !== bitmap.granularity)
        throw new Error(`bitmap ${name}: ${JSON.stringify(listed.get(name))}`);
      if ((flags?.includes('auto') ?? false) !== bitmap.enabled) throw new Error(`bitmap ${name}: ${flags}`);
      const must = mustOf(bitmap, content);
      let end = 0;
      for (const extent of await bitmapExtentsOf(disk, name)) {
        if (extent.offset !== end) throw new Error(`bitmap ${name}: a gap at ${end}`);
        end += extent.length;
        if (extent.dirty) continue;
        const wrong = must.subarray(Math.ceil(extent.offset / UNIT), Math.floor(end / UNIT)).indexOf(1);
        if (wrong >= 0)
          throw new Error(`bitmap ${name} calls unit ${wrong} of ${JSON.stringify(extent)} clean`);
      }
      if (end !== content.length) throw new Error(`bitmap ${name} ends at ${end}, not ${content.length}`);
    }
  }
}

function mustOf({ enabled, start, must }: ModelBitmap, content: Uint8Array): Uint8Array {
  const units = must.slice();
  if (!enabled) return units;
  for (let unit = 0; unit < units.length; unit++) {
    const from = unit * UNIT;
    if (Buffer.compare(start.subarray(from, from + UNIT), content.subarray(from, from + UNIT)) !== 0)
      units[unit] = 1;
  }
  return units;
}

function merge(into: Uint8Array, from: Uint8Array): void {
  for (const [unit, must] of from.entries()) if (must === 1) into[unit] = 1;
}

function fitted(bytes: Uint8Array, length: number): Uint8Array {
  const other = new Uint8Array(length);
  other.set(bytes.subarray(0, length));
  return other;
}

function storeOf(disk: DiskModule): Able<'bitmapStore'> {
  if (can(disk, 'bitmapStore')) return disk;
  throw new Error('the disk has no bitmaps to change');
}
