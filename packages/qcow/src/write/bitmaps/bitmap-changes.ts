import { type BitmapExtent, DiskError, type Io, type NewBitmap, quote } from '@diskstack/core';
import { breathe, throwIfAborted } from '@diskstack/core/format';
import { bitmapsAreConsistent, readBitmapsIfSound } from '../../bitmaps/directory.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import {
  BITMAPS_EXTENSION,
  bitsBytes,
  changedBitmap,
  encodeBitmap,
  tableEntries,
} from '../../layout/bitmap.ts';
import { AUTOCLEAR } from '../../layout/feature-bits.ts';
import { EXTENSION_TYPE } from '../../layout/header-extension.ts';
import { flushMetadata } from '../metadata/flush-metadata.ts';
import { writeHead } from '../metadata/head.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type Staging, stage } from '../metadata/staging.ts';
import { BitmapPages } from './bitmap-pages.ts';
import { clusterOf, isSound, MAX_BITS_BYTES, readTable } from './bitmap-table.ts';
import { type DirectoryEntry, markInUse, readDirectory } from './directory.ts';

/** What changes of bitmaps need. */
export interface BitmapContext {
  readonly state: ImageState;
  readonly guard: OverlapGuard;
}

/** Extents of another bitmap. The dirty ones are merged; clean ones are skipped. */
export type DirtySource = AsyncIterable<BitmapExtent> | Iterable<BitmapExtent>;

/** Changes the directory: returns the bytes of each new entry. */
export type EntriesChange = (
  entries: readonly DirectoryEntry[],
  staging: Staging,
) => Promise<readonly Uint8Array[]>;

/** The limits of qemu: 1 << 9 and 1 << 31. */
const MIN_GRANULARITY = 512;
const MAX_GRANULARITY = 2 ** 31;

/** The default of qemu: the cluster size, but at least 4 KiB and at most 64 KiB. */
function defaultGranularity(clusterSize: number): number {
  return Math.min(65_536, Math.max(4096, clusterSize));
}

/** Adds a bitmap. Without `dirty` its table names no cluster, so that everything is clean. */
export async function addBitmap(context: BitmapContext, added: NewBitmap, io: Io): Promise<void> {
  const { geometry, header, limits } = context.state.image;
  const { clusterSize } = geometry;
  const { name, granularity = defaultGranularity(clusterSize), auto = true, dirty } = added;
  const nameBytes = new TextEncoder().encode(name);
  if (nameBytes.length === 0 || nameBytes.length > limits.maxNameBytes)
    refuse(`a bitmap has a name of 1 to ${limits.maxNameBytes} bytes, not ${nameBytes.length}`);
  if (
    !Number.isInteger(Math.log2(granularity)) ||
    granularity < MIN_GRANULARITY ||
    granularity > MAX_GRANULARITY
  )
    refuse(`a granularity of ${granularity}; it must be a power of two from 512 to 2 GiB`);
  const bits = bitsBytes(header.size, granularity);
  if (bits > MAX_BITS_BYTES)
    refuse(`a bitmap of ${bits} bytes, ${MAX_BITS_BYTES} are allowed; a larger granularity makes it smaller`);
  const tableSize = tableEntries(header.size, granularity, clusterSize);
  if (tableSize === 0) refuse('a disk of 0 bytes cannot have bitmaps');
  await changeBitmaps(context, async (entries, staging) => {
    if (entries.some(({ bitmap }) => bitmap.name === name))
      refuse(`there is a bitmap ${quote(name)} already`);
    if (entries.length >= limits.maxBitmaps) refuse(`maxBitmaps allows ${limits.maxBitmaps} bitmaps`);
    const tableOffset = await staging.write('a bitmap', new Uint8Array(tableSize * 8));
    const inUse = dirty !== undefined; // until all its bits are stored
    const bytes = encodeBitmap({ name: nameBytes, granularity, tableOffset, tableSize, auto, inUse });
    return [...entries.map((entry) => entry.bytes), bytes];
  });
  if (dirty === undefined) return;
  try {
    await putDirty(context, name, dirty, io);
  } catch (error) {
    await removeBitmap(context, name).catch(() => {}); // then it stays in use, and readers ignore it
    throw error;
  }
}

export async function removeBitmap(context: BitmapContext, name: string): Promise<void> {
  const { image } = context.state;
  if (!bitmapsAreConsistent(image)) {
    // Such bitmaps own no clusters. The first change of the directory removes all of them.
    const { bitmaps } = await readBitmapsIfSound(image, {});
    if (bitmaps.every((bitmap) => bitmap.name !== name)) throw notFound(name);
    return await changeBitmaps(context, async () => []);
  }
  await changeBitmaps(context, async (entries, staging) => {
    const entry = named(entries, name);
    await dropBits(staging, entry);
    await dropBytes(staging, entry.bitmap.tableOffset, entry.bitmap.tableSize * 8);
    return entries.filter((other) => other !== entry).map(({ bytes }) => bytes);
  });
}

/** Marks everything clean. */
export function clearBitmap(context: BitmapContext, name: string): Promise<void> {
  return changeOne(context, name, async (entry, staging) => {
    const { header, geometry } = context.state.image;
    const { tableOffset: at, tableSize: oldEntries, granularity } = entry.bitmap;
    const tableSize = tableEntries(header.size, granularity, geometry.clusterSize);
    const tableOffset = await staging.write('a bitmap', new Uint8Array(tableSize * 8));
    await dropBits(staging, entry);
    await dropBytes(staging, at, oldEntries * 8);
    return changedBitmap(entry.bytes, { tableOffset, tableSize });
  });
}

export function setBitmapAuto(context: BitmapContext, name: string, auto: boolean): Promise<void> {
  return changeOne(context, name, async ({ bytes }) => changedBitmap(bytes, { auto }));
}

/** Marks everything dirty that is dirty in `from`, whatever its granularity. */
export async function mergeBitmap(
  context: BitmapContext,
  name: string,
  from: DirtySource,
  io: Io,
): Promise<void> {
  const { image, file } = context.state;
  const entry = named((await readDirectory(image)).entries, name);
  checkChangeable(entry);
  if (!(await isSound(image, entry.bitmap))) {
    const reason = `the table of the bitmap ${quote(name)} is damaged; the bitmap can only be cleared or removed`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: entry.at });
  }
  await markInUse(file, entry, true);
  await file.barrier();
  await putDirty(context, name, from, io);
}

/**
 * Sets bits of a bitmap that is marked in use, then removes the mark. When the source fails, the bitmap keeps its old
 * bits and those that were read before the error.
 */
async function putDirty(context: BitmapContext, name: string, from: DirtySource, io: Io): Promise<void> {
  const { state, guard } = context;
  const entry = named((await readDirectory(state.image)).entries, name);
  const failures: unknown[] = [];
  async function* source(): AsyncGenerator<BitmapExtent> {
    try {
      for await (const extent of from) {
        throwIfAborted(io.signal);
        const pause = breathe();
        if (pause !== undefined) await pause;
        if (!extent.dirty) continue;
        checkInside(extent, name, state.image.header.size);
        yield extent;
      }
    } catch (error) {
      failures.push(error);
    }
  }
  const pages = await BitmapPages.open(state, guard, entry.bitmap);
  try {
    for await (const { offset, length } of source()) await pages.add(offset, length);
    await pages.end();
  } catch (error) {
    await pages.abandon();
    throw error;
  }
  await unmarkInUse(context, [entry]);
  if (failures.length > 0) throw failures[0];
}

function checkInside({ offset, length }: BitmapExtent, name: string, size: number): void {
  if (offset >= 0 && length >= 0 && offset + length <= size) return;
  const reason = `dirty bytes ${offset} to ${offset + length} for the bitmap ${quote(name)}, the disk has ${size}`;
  throw new DiskError('ERR_OUT_OF_BOUNDS', reason);
}

/** Flushes the bitmaps, then removes their in-use marks. */
export async function unmarkInUse(
  { state }: BitmapContext,
  entries: readonly DirectoryEntry[],
): Promise<void> {
  const { file } = state;
  await flushMetadata(state);
  await file.barrier();
  for (const entry of entries) await markInUse(file, entry, false);
  await file.barrier();
}

function changeOne(
  context: BitmapContext,
  name: string,
  change: (entry: DirectoryEntry, staging: Staging) => Promise<Uint8Array>,
): Promise<void> {
  return changeBitmaps(context, async (entries, staging) => {
    const entry = named(entries, name);
    checkChangeable(entry);
    const bytes = await change(entry, staging);
    return entries.map((other) => (other === entry ? bytes : other.bytes));
  });
}

function checkChangeable({ bitmap }: DirectoryEntry): void {
  const { name, inUse, usable } = bitmap;
  if (inUse) refuse(`the bitmap ${quote(name)} was not saved when its writer ended; it can only be removed`);
  if (!usable)
    throw new DiskError(
      'ERR_UNSUPPORTED',
      `the bitmap ${quote(name)} has an unknown type; it can only be removed`,
    );
}

function named(entries: readonly DirectoryEntry[], name: string): DirectoryEntry {
  const entry = entries.find(({ bitmap }) => bitmap.name === name);
  if (entry !== undefined) return entry;
  throw notFound(name);
}

function notFound(name: string): DiskError {
  return new DiskError('ERR_NOT_FOUND', `the image has no bitmap ${quote(name)}`);
}

/**
 * Rewrites the bitmap directory. qcow2 spec, "autoclear_features", bit 0: the bit is cleared first and set last. A
 * crash in between loses the bitmaps, but never leaves a wrong bitmap that readers trust.
 */
export async function changeBitmaps({ state, guard }: BitmapContext, change: EntriesChange): Promise<void> {
  await stage(state, guard, async (staging) => {
    const { file } = state;
    const { place, entries } = await readDirectory(state.image);
    const left = await change(entries, staging);
    const bytes = new Uint8Array(left.reduce((sum, entry) => sum + entry.length, 0));
    let position = 0;
    for (const entry of left) {
      bytes.set(entry, position);
      position += entry.length;
    }
    const at = left.length === 0 ? 0 : await staging.write('a bitmap', bytes);
    if (place !== undefined) await dropBytes(staging, place.at, place.length);
    const { autoclearFeatures } = state.image.header;
    const without = autoclearFeatures & ~AUTOCLEAR.bitmaps;
    await state.writeHeader({ autoclearFeatures: without });
    await file.barrier();
    await staging.switch({});
    const others = state.image.extensions.filter(({ type }) => type !== EXTENSION_TYPE.bitmaps);
    const extension = BITMAPS_EXTENSION.encode({
      nbBitmaps: left.length,
      reserved: 0,
      bitmapDirectorySize: bytes.length,
      bitmapDirectoryOffset: at,
    });
    await writeHead(state, {
      extensions: left.length === 0 ? others : [...others, { type: EXTENSION_TYPE.bitmaps, data: extension }],
      name: state.image.backing?.name ?? new Uint8Array(0),
    });
    if (left.length === 0) return;
    await state.writeHeader({
      autoclearFeatures: without | AUTOCLEAR.bitmaps,
    });
    await file.barrier();
  });
}

/**
 * Frees the clusters that the table of a bitmap names, from entry `first` on. Impossible offsets are skipped, so that a
 * damaged bitmap can be removed.
 */
export async function dropBits(staging: Staging, { bitmap }: DirectoryEntry, first = 0): Promise<void> {
  const { geometry, file } = staging.state.image;
  const { clusterSize } = geometry;
  const table = await readTable(staging.state.file.disk, bitmap, bitmap.tableSize);
  for (let index = first; index < bitmap.tableSize; index++) {
    const cluster = clusterOf(table, index);
    const isCluster = cluster !== 0 && cluster % clusterSize === 0 && cluster < file.size();
    if (isCluster) await staging.drop(cluster / clusterSize);
  }
}

export async function dropBytes(staging: Staging, at: number, length: number): Promise<void> {
  const { clusterSize } = staging.state.image.geometry;
  await staging.drop(at / clusterSize, Math.ceil(length / clusterSize));
}

function refuse(reason: string): never {
  throw new DiskError('ERR_ARGUMENT', reason);
}
