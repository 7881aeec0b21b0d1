import { DiskError, quote } from '@diskstack/core';
import { decodeRaidSuperblock, RAID_SUPERBLOCK, type RaidSuperblock } from '../layout/raid-superblock.ts';
import { type ConfigSection, numberOf, stringsOf } from '../metadata/config.ts';
import type { SegmentContext } from '../segment-type.ts';
import { attempt, missing } from '../targets/attempt.ts';
import { slice, type Target } from '../targets/target.ts';
import { type MayBeBehind, readWriteIntent } from './write-intent.ts';

/** One image of a RAID set. */
export interface RaidImage {
  /** `undefined` if the image is missing or cannot be used. */
  readonly target: Target | undefined;
  /** The image is current up to this byte. */
  readonly upTo: number;
  /** Why it is not current, or only in part. */
  readonly reason?: string;
  /** The superblocks exclude it from the set: it has failed, or must be rebuilt. The kernel copies nothing from it. */
  readonly isOut?: boolean;
  /** `lvchange --writemostly`: writes may reach it later than the other images. */
  readonly isLate?: boolean;
}

export interface RaidImages {
  readonly images: readonly RaidImage[];
  /**
   * Copies and parity are in sync up to this byte: of each image, but of the whole set for RAID 10. The kernel rewrites
   * everything after it, from the first copy or from the data.
   */
  readonly synced: number;
  /** Set if an image is missing and the superblocks do not record that yet: the ranges whose parity may be out of date. */
  readonly mayBeBehind?: MayBeBehind | undefined;
}

/**
 * The readable size of a set in bytes. The size of a segment includes the space that lvm2 reserves on each data image for
 * a reshape (lvm2 `lib/activate/dev_manager.c`, `_seg_len`).
 */
export function readableBytes(
  fields: ConfigSection,
  size: number,
  dataImages: number,
  { extentBytes }: SegmentContext,
): number {
  const left = size - numberOf(fields, 'reshape_count', 0) * extentBytes * dataImages;
  if (left > 0) return left;
  throw new DiskError('ERR_CORRUPT', `the segment has ${size} bytes, and reshape_count reserves all of them`);
}

/** Linux `drivers/md/dm-raid.c`, `MAX_RAID_DEVICES`. */
const MAX_IMAGES = 253;

interface Found {
  readonly meta: string | undefined;
  readonly image: Target | string;
  /** A string is the reason why it cannot be read; `undefined` means that the image has none. */
  readonly superblock: RaidSuperblock | string | undefined;
  readonly isRebuilt: boolean;
  readonly isLate: boolean;
}

/** Opens the images of a RAID 0 set. Their superblocks are not needed: without redundancy no image can be out of date. */
export async function openPlainImages(
  fields: ConfigSection,
  context: SegmentContext,
): Promise<readonly (Target | string)[]> {
  const images: (Target | string)[] = [];
  for (const { image } of imageNames(fields)) images.push(await attempt(() => context.volume(image)));
  return images;
}

/**
 * Opens the images of a set and decides by the newest superblock which of them are current (Linux
 * `drivers/md/dm-raid.c`, `super_validate`). An image whose superblock cannot be read is not used, because nothing proves
 * that it is current. Copies may change their order (`places: 'any'`), images of a set with parity may not (`'fixed'`).
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
  // A set that was created with --nosync keeps the flag NOTSYNCED for its whole life.
  const isSynced = !context.lv.status.includes('NOTSYNCED');
  return {
    images,
    synced: isSynced ? (record?.newest.synced ?? 0) : 0,
    mayBeBehind: places === 'fixed' ? await writeIntent(found, images, record, context) : undefined,
  };
}

/**
 * A set that runs without an image records the failure and keeps its parity in sync. If an image disappears while the set is
 * stopped, writes may have been interrupted before: wherever the bitmap is set, parity would compute wrong data (the
 * "write hole").
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

/** The state of a set according to all its superblocks. */
interface RaidRecord {
  readonly newest: RaidSuperblock;
  /** The highest event count of an image that has not failed. */
  readonly events: bigint;
}

/** `undefined` if the set has never been active: then all images are equally current. */
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
    throw missing(
      'no superblock of the RAID set can be read, so nothing proves which images are current',
      unread,
    );
  }
  const current = most(superblocks.filter(({ arrayPosition }) => !newest.hasFailed(arrayPosition)));
  return { newest, events: (current ?? newest).events };
}

/** `raids` lists pairs of a metadata volume and an image, `raid0_lvs` images only. */
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
  throw new DiskError(
    'ERR_CORRUPT',
    `the RAID set has ${pairs.length} images; 1 to ${MAX_IMAGES} are possible`,
  );
}

async function readSuperblock(name: string, context: SegmentContext): Promise<RaidSuperblock | undefined> {
  const sector = new Uint8Array(RAID_SUPERBLOCK.size);
  await context.reader.read(await context.volume(name), 0, sector);
  return decodeRaidSuperblock(sector);
}

/** Decides whether an image is current, and up to which byte. */
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
  if (isRebuilt) return none(`image ${position} must be rebuilt`, true);
  if (hasFailed) return none(`image ${position} has failed`, true);
  if (record === undefined) return { target: image, upTo: image.size };
  if (superblock === undefined) return none(`image ${position} has not been built yet`, true);
  if (typeof superblock === 'string')
    return none(
      `image ${position} may be out of date, because its superblock cannot be read (${superblock})`,
    );
  const { dataOffset, recovered, events } = superblock;
  // The kernel updates the superblocks of all images together, so a crash leaves a difference of at most 1.
  if (events + 1n < record.events)
    return none(`image ${position} is out of date: it has event ${events} of ${record.events}`, true);
  if (places === 'fixed' && role !== position)
    return none(`image ${position} records that it is image ${role}`, true);
  if (dataOffset > image.size)
    return none(`the data of image ${position} starts at byte ${dataOffset}, past its end at ${image.size}`);
  const target = slice(image, dataOffset, image.size - dataOffset);
  if (recovered >= target.size) return { target, upTo: target.size };
  return {
    target,
    upTo: recovered,
    isOut: true,
    reason: `image ${position} is rebuilt up to byte ${recovered} only`,
  };
}
