import { DiskError } from '@diskstack/core';
import { decodeRaidSuperblock, RAID_SUPERBLOCK, type RaidSuperblock } from '../layout/raid-superblock.ts';
import { type ConfigSection, numberOf, stringsOf } from '../metadata/config.ts';
import { slice, type Target } from '../targets/target.ts';
import { attempt } from './attempt.ts';
import type { SegmentContext } from './segment-type.ts';

/** One image of a RAID set. */
export interface RaidImage {
  /** `undefined` where nothing of it can be read. */
  readonly target: Target | undefined;
  /** Bytes from its start on that are as they should be. */
  readonly upTo: number;
  /** Why not all of it is. */
  readonly reason?: string;
}

export interface RaidImages {
  readonly images: readonly RaidImage[];
  /** Bytes of each image up to which copies and parity are right. */
  readonly synced: number;
}

/**
 * Bytes of a set that are there to be read: each image that has data, and not parity, may have space that the next reshape
 * works in, and the segment counts it (lvm2 `lib/activate/dev_manager.c`, `_seg_len`).
 */
export function readableBytes(
  fields: ConfigSection,
  size: number,
  dataImages: number,
  { extentBytes }: SegmentContext,
): number {
  const left = size - numberOf(fields, 'reshape_count', 0) * extentBytes * dataImages;
  if (left > 0) return left;
  throw new DiskError('ERR_CORRUPT', `a segment of ${size} bytes, all of which are space for reshapes`);
}

/** A set has at most 253 images. */
const MAX_IMAGES = 253;

interface Found {
  readonly image: Target | string;
  /** A string: why it cannot be read. `undefined`: nothing is there. */
  readonly superblock: RaidSuperblock | string | undefined;
  readonly isRebuilt: boolean;
}

/** The images of a RAID 0 set. Their superblocks say nothing: there is nothing that could be out of date. */
export async function openPlainImages(
  fields: ConfigSection,
  context: SegmentContext,
): Promise<readonly (Target | string)[]> {
  const images: (Target | string)[] = [];
  for (const { image } of imageNames(fields)) images.push(await attempt(() => context.volume(image)));
  return images;
}

/**
 * The images of a set, judged by the newest of their superblocks. Copies may have changed places since it was written;
 * where parity is computed, they may not.
 */
export async function openRaidImages(
  fields: ConfigSection,
  places: 'fixed' | 'any',
  context: SegmentContext,
): Promise<RaidImages> {
  const pairs = imageNames(fields);
  const found: Found[] = [];
  for (const { meta, image } of pairs) {
    found.push({
      image: await attempt(() => context.volume(image)),
      superblock: meta === undefined ? undefined : await attempt(() => readSuperblock(meta, context)),
      isRebuilt: context.model(image).status.includes('REBUILD'),
    });
  }
  let newest: RaidSuperblock | undefined;
  for (const { superblock } of found) {
    if (typeof superblock !== 'object') continue;
    if (superblock.reshaping)
      throw new DiskError('ERR_UNSUPPORTED', 'the RAID set is in the middle of a reshape');
    if (newest === undefined || superblock.events > newest.events) newest = superblock;
  }
  return {
    images: found.map((image, position) => judge(image, position, newest, places)),
    synced: newest?.synced ?? Number.POSITIVE_INFINITY,
  };
}

/** `raids` holds pairs of metadata and image, `raid0_lvs` images alone. */
function imageNames(fields: ConfigSection): readonly { readonly meta?: string; readonly image: string }[] {
  const plain = stringsOf(fields, 'raid0_lvs');
  const names = plain.length > 0 ? plain : stringsOf(fields, 'raids');
  const pairs: { readonly meta?: string; readonly image: string }[] = [];
  for (let index = 0; index < names.length; index++) {
    const name = names[index] ?? '';
    const next = names[index + 1];
    if (name.includes('_rmeta_') && next !== undefined) {
      pairs.push({ meta: name, image: next });
      index++;
    } else pairs.push({ image: name });
  }
  if (pairs.length > 0 && pairs.length <= MAX_IMAGES) return pairs;
  throw new DiskError('ERR_CORRUPT', `a RAID set of ${pairs.length} images, not 1 to ${MAX_IMAGES}`);
}

async function readSuperblock(name: string, context: SegmentContext): Promise<RaidSuperblock | undefined> {
  const sector = new Uint8Array(RAID_SUPERBLOCK.size);
  await context.reader.read(await context.volume(name), 0, sector);
  return decodeRaidSuperblock(sector);
}

function judge(
  { image, superblock, isRebuilt }: Found,
  position: number,
  newest: RaidSuperblock | undefined,
  places: 'fixed' | 'any',
): RaidImage {
  const none = (reason: string): RaidImage => ({ target: undefined, upTo: 0, reason });
  if (typeof image === 'string') return none(`image ${position} is missing (${image})`);
  if (isRebuilt) return none(`image ${position} is to be rebuilt`);
  const role = typeof superblock === 'object' ? superblock.arrayPosition : position;
  if (newest?.hasFailed(role)) return none(`image ${position} has failed`);
  if (newest !== undefined && superblock === undefined)
    return none(`image ${position} has not been built yet`);
  if (typeof superblock !== 'object') return { target: image, upTo: image.size };
  const { dataOffset, recovered } = superblock;
  if (places === 'fixed' && role !== position)
    return none(`image ${position} says that it is number ${role}`);
  if (dataOffset > image.size) return none(`the data of image ${position} begins past its end`);
  const target = slice(image, dataOffset, image.size - dataOffset);
  if (recovered >= target.size) return { target, upTo: target.size };
  return {
    target,
    upTo: recovered,
    reason: `image ${position} has been rebuilt up to byte ${recovered} only`,
  };
}
