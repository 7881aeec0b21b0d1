import { DiskError, type NewBitmap, quote } from '@diskstack/core';
import { readBitmaps } from '../bitmaps.ts';
import {
  BITMAPS_EXTENSION,
  type Bitmap,
  bitmapClusterOffset,
  changedBitmap,
  decodeBitmap,
  encodeBitmap,
} from '../layout/bitmap.ts';
import { AUTOCLEAR } from '../layout/feature-bits.ts';
import { EXTENSION_TYPE, findExtension } from '../layout/header-extension.ts';
import { readStructure } from '../structure.ts';
import type { WrittenImage } from './commit.ts';
import { writeHead } from './head.ts';
import { writeHeaderFields } from './header-fields.ts';
import type { OverlapGuard } from './overlap-guard.ts';
import { type Staging, stage } from './staging.ts';

/** What changes of bitmaps work on. */
export interface BitmapContext {
  readonly written: WrittenImage;
  readonly guard: OverlapGuard;
}

/** A bitmap of the directory, and the bytes of its entry: extra data that is not known stays in them. */
interface Entry {
  readonly bitmap: Pick<Bitmap, 'name' | 'tableOffset' | 'tableSize' | 'inUse'>;
  readonly bytes: Uint8Array;
}

/** What a change makes of the entries. */
type Change = (entries: readonly Entry[], staging: Staging) => Promise<readonly Entry[]>;

const DEFAULT_GRANULARITY = 65_536;
/** qemu's bounds: 1 << 9 and 1 << 31. */
const MIN_GRANULARITY = 512;
const MAX_GRANULARITY = 2 ** 31;
/** qemu's bound on the bits of one bitmap, in bytes. */
const MAX_BITS_BYTES = 0x2000_0000;

/** Adds a bitmap that calls everything clean: its table names no cluster. */
export function addBitmap(context: BitmapContext, added: NewBitmap): Promise<void> {
  const { name, granularity = DEFAULT_GRANULARITY, auto = true } = added;
  const { geometry, header, limits } = context.written.image;
  const nameBytes = new TextEncoder().encode(name);
  if (nameBytes.length === 0 || nameBytes.length > limits.maxNameBytes)
    refuse(`a bitmap has a name of 1 to ${limits.maxNameBytes} bytes, not ${nameBytes.length}`);
  if (
    !Number.isInteger(Math.log2(granularity)) ||
    granularity < MIN_GRANULARITY ||
    granularity > MAX_GRANULARITY
  )
    refuse(`a granularity of ${granularity}; it has to be a power of two from 512 to 2 GiB`);
  const bits = Math.ceil(header.size / granularity / 8);
  if (bits > MAX_BITS_BYTES)
    refuse(`a bitmap of ${bits} bytes, ${MAX_BITS_BYTES} are allowed; a larger granularity makes it smaller`);
  const tableSize = Math.ceil(bits / geometry.clusterSize);
  if (tableSize === 0) refuse('a disk of 0 bytes has nothing that a bitmap could be about');
  return changeBitmaps(context, async (entries, staging) => {
    if (entries.some(({ bitmap }) => bitmap.name === name))
      refuse(`there is a bitmap ${quote(name)} already`);
    if (entries.length >= limits.maxBitmaps) refuse(`maxBitmaps allows ${limits.maxBitmaps} bitmaps`);
    const tableOffset = await staging.write('a bitmap', new Uint8Array(tableSize * 8));
    const bytes = encodeBitmap({ name: nameBytes, granularity, tableOffset, tableSize, auto });
    return [...entries, { bitmap: { name, tableOffset, tableSize, inUse: false }, bytes }];
  });
}

export function removeBitmap(context: BitmapContext, name: string): Promise<void> {
  return changeBitmaps(context, async (entries, staging) => {
    const entry = named(entries, name);
    await dropTable(staging, entry);
    return entries.filter((other) => other !== entry);
  });
}

/** Calls everything clean. */
export function clearBitmap(context: BitmapContext, name: string): Promise<void> {
  return changeOne(context, name, async (entry, staging) => {
    const tableOffset = await staging.write('a bitmap', new Uint8Array(entry.bitmap.tableSize * 8));
    await dropTable(staging, entry);
    return changedBitmap(entry.bytes, { tableOffset });
  });
}

export function setBitmapAuto(context: BitmapContext, name: string, auto: boolean): Promise<void> {
  return changeOne(context, name, async ({ bytes }) => changedBitmap(bytes, { auto }));
}

function changeOne(
  context: BitmapContext,
  name: string,
  change: (entry: Entry, staging: Staging) => Promise<Uint8Array>,
): Promise<void> {
  return changeBitmaps(context, async (entries, staging) => {
    const entry = named(entries, name);
    if (entry.bitmap.inUse)
      refuse(`the bitmap ${quote(name)} was not saved when its writer ended; it can only be removed`);
    const bytes = await change(entry, staging);
    return entries.map((other) => (other === entry ? { ...entry, bytes } : other));
  });
}

function named(entries: readonly Entry[], name: string): Entry {
  const entry = entries.find(({ bitmap }) => bitmap.name === name);
  if (entry !== undefined) return entry;
  throw new DiskError('ERR_NOT_FOUND', `the image has no bitmap ${quote(name)}`);
}

/**
 * Writes the directory anew. qcow2 spec, "autoclear_features", bit 0: it is cleared first and set last, so that a crash in
 * between costs the bitmaps, and never lets one be believed that is wrong.
 */
async function changeBitmaps({ written, guard }: BitmapContext, change: Change): Promise<void> {
  await stage(written, guard, async (staging) => {
    const { file } = written;
    const { directory, entries } = await readEntries(written);
    const left = await change(entries, staging);
    const bytes = new Uint8Array(left.reduce((sum, entry) => sum + entry.bytes.length, 0));
    let position = 0;
    for (const entry of left) {
      bytes.set(entry.bytes, position);
      position += entry.bytes.length;
    }
    const at = left.length === 0 ? 0 : await staging.write('a bitmap', bytes);
    if (directory !== undefined) await dropBytes(staging, directory.at, directory.length);
    const { autoclearFeatures } = written.image.header;
    const without = autoclearFeatures & ~AUTOCLEAR.bitmaps;
    written.image = await writeHeaderFields(file, written.image, { autoclearFeatures: without });
    await file.barrier();
    await staging.switch({});
    const others = written.image.extensions.filter(({ type }) => type !== EXTENSION_TYPE.bitmaps);
    const extension = BITMAPS_EXTENSION.encode({
      nbBitmaps: left.length,
      reserved: 0,
      bitmapDirectorySize: bytes.length,
      bitmapDirectoryOffset: at,
    });
    await writeHead(written, {
      extensions: left.length === 0 ? others : [...others, { type: EXTENSION_TYPE.bitmaps, data: extension }],
      name: written.image.backing?.name ?? new Uint8Array(0),
    });
    if (left.length === 0) return;
    written.image = await writeHeaderFields(file, written.image, {
      autoclearFeatures: without | AUTOCLEAR.bitmaps,
    });
    await file.barrier();
  });
}

/** The entries of the image. Bitmaps that may be out of date own nothing, and are not kept. */
async function readEntries({ image }: WrittenImage) {
  const extension = findExtension(image.extensions, EXTENSION_TYPE.bitmaps);
  if (extension === undefined || (image.header.autoclearFeatures & AUTOCLEAR.bitmaps) === 0n)
    return { directory: undefined, entries: [] };
  const { file, limits } = image;
  const directory = await readBitmaps(file, extension, limits, {});
  const { at, length } = directory;
  const bytes = await readStructure(file, { what: 'a bitmap directory', at, length }, {});
  const entries: Entry[] = [];
  for (let position = 0; entries.length < directory.bitmaps.length; ) {
    const { bitmap, next } = decodeBitmap(bytes, position, at, limits);
    entries.push({ bitmap, bytes: bytes.slice(position, next) });
    position = next;
  }
  return { directory, entries };
}

/** The table of a bitmap, and all clusters that it names, are nobody's after the change. */
async function dropTable(staging: Staging, { bitmap }: Entry): Promise<void> {
  const { tableOffset: at, tableSize } = bitmap;
  const { clusterSize } = staging.written.image.geometry;
  const place = { what: 'a bitmap table', at, length: tableSize * 8 };
  const table = new DataView((await readStructure(staging.written.file.disk, place, {})).buffer);
  for (let position = 0; position < table.byteLength; position += 8) {
    const cluster = bitmapClusterOffset(table.getUint32(position), table.getUint32(position + 4));
    if (cluster !== 0) await staging.drop(cluster / clusterSize);
  }
  await dropBytes(staging, at, tableSize * 8);
}

async function dropBytes(staging: Staging, at: number, length: number): Promise<void> {
  const { clusterSize } = staging.written.image.geometry;
  await staging.drop(at / clusterSize, Math.ceil(length / clusterSize));
}

function refuse(reason: string): never {
  throw new DiskError('ERR_ARGUMENT', reason);
}
