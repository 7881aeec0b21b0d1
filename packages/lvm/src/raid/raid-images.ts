import { DiskError, quote } from '@diskstack/core';
import { decodeRaidSuperblock, RAID_SUPERBLOCK, type RaidSuperblock } from '../layout/raid-superblock.ts';
import { type ConfigSection, numberOf, stringsOf } from '../metadata/config.ts';
import type { SegmentContext } from '../segment-type.ts';
import { attempt, missing } from '../targets/attempt.ts';
import { slice, type Target } from '../targets/target.ts';
import { type MayBeBehind, readWriteIntent } from './write-intent.ts';

/** One image of a RAID set. */
export interface RaidImage {
  /** `undefined` where nothing of it can be read. */
  readonly target: Target | undefined;
  /** Bytes from its start on that are as they should be. */
  readonly upTo: number;
  /** Why not all of it is. */
  readonly reason?: string;
  /** By the record of the set it holds no content of it: it has failed, or is to be rebuilt. Nothing is copied from it. */
  readonly isOut?: boolean;
  /** Writes may reach it later than the others: `lvchange --writemostly`. */
  readonly isLate?: boolean;
}

export interface RaidImages {
  readonly images: readonly RaidImage[];
  /**
   * Bytes up to which copies and parity are right: of each image, and of a RAID 10 set of the set. From there on the kernel
   * takes the first copy and makes the others, and the parity, anew.
   */
  readonly synced: number;
  /** Of a set that lacks an image and does not know it yet: where parity may be behind. */
  readonly mayBeBehind?: MayBeBehind | undefined;
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
  readonly meta: string | undefined;
  readonly image: Target | string;
  /** A string: why it cannot be read. `undefined`: nothing is there. */
  readonly superblock: RaidSuperblock | string | undefined;
  readonly isRebuilt: boolean;
  readonly isLate: boolean;
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
 * where parity is computed, they may not. An image without a superblock that can be read is not known to be current, and
 * is not used. Linux `drivers/md/dm-raid.c`, `super_validate`.
 */
export async function openRaidImages(
  fields: ConfigSection,
  places: 'fixed' | 'any',
  context: SegmentContext,
): Promise<RaidImages> {
  const pairs = imageNames(fields);
  const found: Found[] = [];
  for (const { meta, image } of pairs) {
    const { status } = context.model(image);
    found.push({
      meta,
      image: await attempt(() => context.volume(image)),
      superblock: meta === undefined ? undefined : await attempt(() => readSuperblock(meta, context)),
      isRebuilt: status.includes('REBUILD'),
      isLate: status.includes('WRITEMOSTLY'),
    });
  }
  const record = recordOf(found);
  const images = found.map((image, position) => ({
    ...judge(image, position, record, places),
    isLate: image.isLate,
  }));
  const lacking = images.flatMap(({ reason }) => reason ?? []);
  if (lacking.length > 0) {
    const reason = `the RAID set ${quote(context.lv.name)} is degraded: ${lacking.join('; ')}`;
    context.degraded(reason);
  }
  // "Not synchronised" is what a set without an initial synchronisation is called all its life.
  const isSynced = !context.lv.status.includes('NOTSYNCED');
  return {
    images,
    synced: isSynced ? (record?.newest.synced ?? 0) : 0,
    mayBeBehind: places === 'fixed' ? await writeIntent(found, images, record, context) : undefined,
  };
}

/**
 * A set that runs without an image keeps its parity right, and has noted that. One that has lost an image while nothing ran
 * may have been stopped in the middle of writes: parity that was under way then gives back something else.
 */
async function writeIntent(
  found: readonly Found[],
  images: readonly RaidImage[],
  record: RaidRecord | undefined,
  context: SegmentContext,
): Promise<MayBeBehind | undefined> {
  if (record === undefined || !images.some(({ target, isOut }) => target === undefined && !isOut))
    return undefined;
  const newest = found.find(({ superblock }) => superblock === record.newest);
  return newest?.meta === undefined ? undefined : readWriteIntent(newest.meta, record.newest.events, context);
}

/** What the superblocks of a set say together. */
interface RaidRecord {
  readonly newest: RaidSuperblock;
  /** The most events that an image has which has not failed. */
  readonly events: bigint;
}

/** `undefined`: the set has never run, and every image that is there is as good as the next one. */
function recordOf(found: readonly Found[]): RaidRecord | undefined {
  const superblocks: RaidSuperblock[] = [];
  for (const { superblock } of found) if (typeof superblock === 'object') superblocks.push(superblock);
  if (superblocks.some(({ reshaping }) => reshaping))
    throw new DiskError('ERR_UNSUPPORTED', 'the RAID set is in the middle of a reshape');
  const most = (blocks: readonly RaidSuperblock[]): RaidSuperblock | undefined =>
    blocks.reduce<RaidSuperblock | undefined>(
      (best, block) => (best === undefined || block.events > best.events ? block : best),
      undefined,
    );
  const newest = most(superblocks);
  if (newest === undefined) {
    const unread = found.flatMap(({ superblock }) => (typeof superblock === 'string' ? superblock : []));
    if (unread.length === 0) return undefined;
    throw missing('no superblock of the RAID set is left that says which images are current', unread);
  }
  const current = most(superblocks.filter(({ arrayPosition }) => !newest.hasFailed(arrayPosition)));
  return { newest, events: (current ?? newest).events };
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
  record: RaidRecord | undefined,
  places: 'fixed' | 'any',
): RaidImage {
  const none = (reason: string, isOut = false): RaidImage => ({ target: undefined, upTo: 0, reason, isOut });
  const role = typeof superblock === 'object' ? superblock.arrayPosition : position;
  const hasFailed = record?.newest.hasFailed(role) ?? false;
  if (typeof image === 'string') return none(`image ${position} is missing (${image})`, hasFailed);
  if (isRebuilt) return none(`image ${position} is to be rebuilt`, true);
  if (hasFailed) return none(`image ${position} has failed`, true);
  if (record === undefined) return { target: image, upTo: image.size };
  if (superblock === undefined) return none(`image ${position} has not been built yet`, true);
  if (typeof superblock === 'string')
    return none(
      `image ${position} is not known to be current, its superblock cannot be read (${superblock})`,
    );
  const { dataOffset, recovered, events } = superblock;
  // The kernel writes the superblocks of all images together, so that a crash leaves a difference of 1.
  if (events + 1n < record.events)
    return none(`image ${position} is out of date, with event ${events} of ${record.events}`, true);
  if (places === 'fixed' && role !== position)
    return none(`image ${position} says that it is number ${role}`, true);
  if (dataOffset > image.size) return none(`the data of image ${position} begins past its end`);
  const target = slice(image, dataOffset, image.size - dataOffset);
  if (recovered >= target.size) return { target, upTo: target.size };
  return {
    target,
    upTo: recovered,
    isOut: true,
    reason: `image ${position} has been rebuilt up to byte ${recovered} only`,
  };
}
