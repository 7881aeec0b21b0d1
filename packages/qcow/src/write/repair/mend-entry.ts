import { hex } from '@diskstack/core';
import { contradicts } from '../../layout/extended-l2-entry.ts';
import {
  compressedBytes,
  compressedOffset,
  hasReservedL2Bits,
  hasZeroFlag,
  hostClusterOffset,
  isCompressed,
  isCopied,
} from '../../layout/l2-entry.ts';

/** An L2 entry as words; the last two are 0 where entries have no sub-cluster bitmap. */
export interface RawEntry {
  readonly hi: number;
  readonly lo: number;
  readonly zero: number;
  readonly allocation: number;
}

/** What a mended entry is, and what was wrong with it. */
export interface Mend {
  readonly entry: RawEntry;
  readonly message: string;
  /** Guest content that the entry named cannot be read any more. */
  readonly isLoss: boolean;
}

/** What entries are judged by. */
export interface MendShape {
  readonly version: number;
  readonly clusterBits: number;
  readonly clusterSize: number;
  readonly extended: boolean;
  /** The clusters are in a file of their own. */
  readonly external: boolean;
  /** Byte after the last one of the image. */
  readonly end: number;
}

const NOTHING: RawEntry = { hi: 0, lo: 0, zero: 0, allocation: 0 };
/** Bits 9 to 55, 62 and 63 of an entry, by halves. */
const KNOWN_HI = 0xc0ffffff;
const KNOWN_LO = 0xfffffe00;

/** The entry as it can be used, or `undefined` where it is sound. What it says that can be read stays. */
export function mendEntry(entry: RawEntry, shape: MendShape): Mend | undefined {
  return isCompressed(entry.hi) ? mendCompressed(entry, shape) : mendStandard(entry, shape);
}

function mendCompressed(entry: RawEntry, shape: MendShape): Mend | undefined {
  const { hi, lo, zero, allocation } = entry;
  const { clusterBits, clusterSize, external, end } = shape;
  const at = compressedOffset(hi, lo, clusterBits);
  if (external) return loss(shape, 'a compressed cluster in an image with an external data file');
  if (at + compressedBytes(hi, lo, clusterBits) - end >= clusterSize)
    return loss(shape, `a compressed cluster at byte ${hex(at)}, the file ends at ${hex(end)}`);
  if (!isCopied(hi) && (zero | allocation) === 0) return undefined;
  return {
    entry: { hi: (hi & 0x7fffffff) >>> 0, lo, zero: 0, allocation: 0 },
    message: 'a compressed cluster with the COPIED bit or a sub-cluster bitmap: they are cleared',
    isLoss: false,
  };
}

function mendStandard(entry: RawEntry, shape: MendShape): Mend | undefined {
  const { hi, lo, zero, allocation } = entry;
  const { version, extended, external } = shape;
  const hasZeroBit = version >= 3 && !extended;
  const host = hostClusterOffset(hi, lo);
  if (version < 3 && hasZeroFlag(lo))
    return loss(shape, 'the zero bit of version 3 in an image of version 2');
  const isPlainZero = hasZeroBit && hasZeroFlag(lo);
  const isNowhere = host === 0 && !(external && isCopied(hi) && !isPlainZero);
  const holdsData = extended ? allocation !== 0 : !isPlainZero;
  const problem = isNowhere ? undefined : misplaced(host, shape);
  if (problem !== undefined && holdsData) return loss(shape, `a data cluster ${problem}`);
  if (problem !== undefined) {
    return {
      entry: { hi: 0, lo: isPlainZero ? 1 : 0, zero, allocation },
      message: `a preallocated cluster ${problem}: it has no place any more`,
      isLoss: false,
    };
  }
  if (contradicts(allocation, zero) || (isNowhere && allocation !== 0)) {
    return {
      entry: {
        hi: isNowhere ? 0 : hi,
        lo: isNowhere ? 0 : lo,
        zero,
        allocation: isNowhere ? 0 : (allocation & ~zero) >>> 0,
      },
      message: `sub-clusters allocated ${hex(allocation)} and zero ${hex(zero)}, at byte ${hex(host)}: those that contradict are not allocated any more`,
      isLoss: true,
    };
  }
  if (!hasReservedL2Bits(hi, lo, hasZeroBit)) return undefined;
  const known = { hi: (hi & KNOWN_HI) >>> 0, lo: ((lo & KNOWN_LO) | (isPlainZero ? 1 : 0)) >>> 0 };
  return {
    entry: { ...known, zero, allocation },
    message: `reserved bits in an L2 entry (${hex(hi)} ${hex(lo)}): they are cleared`,
    isLoss: false,
  };
}

/** Why no cluster can be at this byte. Past the end is judged in the image only: a data file may grow. */
function misplaced(host: number, { clusterSize, external, end }: MendShape): string | undefined {
  if (host % clusterSize !== 0) return `at byte ${hex(host)}, not a multiple of ${clusterSize}`;
  if (!external && host >= end) return `at byte ${hex(host)}, the file ends at ${hex(end)}`;
  return undefined;
}

/** The entry names nothing usable. It says zeroes then, where it can: an old base must not show in its place. */
function loss({ version, extended }: MendShape, message: string): Mend {
  const entry = extended ? { ...NOTHING, zero: 0xffffffff } : { ...NOTHING, lo: version < 3 ? 0 : 1 };
  return { entry, message, isLoss: true };
}
