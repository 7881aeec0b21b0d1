import { bits64, SECTOR, struct, u32 } from '@diskstack/core/format';

/** Linux `drivers/md/dm-raid.c`, `struct dm_raid_superblock`, in the first sector of each metadata volume of a RAID set. */
export const RAID_SUPERBLOCK = struct('little', {
  magic: u32,
  compatFeatures: u32,
  numDevices: u32,
  arrayPosition: u32,
  events: bits64,
  failedDevices: bits64,
  diskRecoveryOffset: bits64,
  arrayResyncOffset: bits64,
  level: u32,
  layout: u32,
  stripeSectors: u32,
  flags: u32,
  reshapePosition: bits64,
  newLevel: u32,
  newLayout: u32,
  newStripeSectors: u32,
  deltaDisks: u32,
  arraySectors: bits64,
  dataOffset: bits64,
  newDataOffset: bits64,
  sectors: bits64,
  failedDevices1: bits64,
  failedDevices2: bits64,
  failedDevices3: bits64,
  incompatFeatures: u32,
});

const RAID_MAGIC = 0x6452_6d44; // 'DmRd'
/** `FEATURE_FLAG_SUPPORTS_V190`: the fields from `flags` on are valid. */
const SUPPORTS_V190 = 1;
const RESHAPE_ACTIVE = 1;
/** `MaxSector`: recovery or resynchronisation is complete. */
const WHOLE = 0xffff_ffff_ffff_ffffn;
const FAILED_BITS = 256;

/** The superblock of one image of a RAID set. */
export interface RaidSuperblock {
  readonly arrayPosition: number;
  /** Incremented by every change of the set. The superblock with the most events is the newest. */
  readonly events: bigint;
  /** This image is rebuilt up to this byte; infinite if it is complete. */
  readonly recovered: number;
  /** Copies and parity are in sync up to this byte of each image; infinite if all of it is. */
  readonly synced: number;
  readonly reshaping: boolean;
  /** The byte of the image at which its data starts. */
  readonly dataOffset: number;
  /** Whether this superblock records that the image at `position` has failed. */
  hasFailed(position: number): boolean;
}

/** Decodes the superblock; `undefined` if there is none, because the image was never used. */
export function decodeRaidSuperblock(sector: Uint8Array): RaidSuperblock | undefined {
  const block = RAID_SUPERBLOCK.decode(sector);
  if (block.magic !== RAID_MAGIC) return undefined;
  const extended = (block.compatFeatures & SUPPORTS_V190) !== 0;
  const failed = [block.failedDevices, block.failedDevices1, block.failedDevices2, block.failedDevices3];
  return {
    arrayPosition: block.arrayPosition,
    events: block.events,
    recovered: bytesUpTo(block.diskRecoveryOffset),
    synced: bytesUpTo(block.arrayResyncOffset),
    reshaping: extended && (block.flags & RESHAPE_ACTIVE) !== 0,
    dataOffset: extended ? Number(block.dataOffset) * SECTOR : 0,
    hasFailed(position) {
      if (position >= (extended ? FAILED_BITS : 64)) return false;
      const word = failed[Math.floor(position / 64)] ?? 0n;
      return ((word >> BigInt(position % 64)) & 1n) === 1n;
    },
  };
}

function bytesUpTo(sector: bigint): number {
  return sector === WHOLE ? Number.POSITIVE_INFINITY : Number(sector) * SECTOR;
}
