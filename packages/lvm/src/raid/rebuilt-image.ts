import { DiskError, type DiskModule, type Io } from '@diskstack/core';
import { breathe, defineDisk } from '@diskstack/core/format';
import type { TargetReader } from '../targets/target-reader.ts';
import { addTimes, generatorPower, inverse, multiply } from './galois.ts';
import type { RaidImage } from './raid-images.ts';
import type { RaidRow } from './raid-layout.ts';
import type { MayBeBehind } from './write-intent.ts';

/** A RAID set with parity. */
export interface ParitySet {
  readonly images: readonly RaidImage[];
  /** Size of a chunk in bytes. */
  readonly chunk: number;
  /** Size of each image in bytes. */
  readonly imageSize: number;
  /** The parity is in sync up to this byte of each image. */
  readonly synced: number;
  /** Set if the write-intent bitmap must be consulted before parity is used. */
  readonly mayBeBehind: MayBeBehind | undefined;
  row(number: number): RaidRow;
}

/** Bytes that are computed in one step. */
const PIECE = 256 * 1024;

/**
 * A missing image as a disk: its data is computed from the other images, either with P (the sum of all data) or with Q
 * (the sum of all data, each multiplied by a power of the generator). It is read for its data chunks only, never for parity.
 */
export function rebuiltImage(set: ParitySet, position: number, reader: TargetReader): DiskModule {
  const { chunk, imageSize } = set;
  return defineDisk({
    size: () => imageSize,
    async readInto(offset, into, io) {
      for (let done = 0; done < into.length; ) {
        const at = offset + done;
        const length = Math.min(into.length - done, chunk - (at % chunk), PIECE);
        await rebuild(set, position, reader, at, into.subarray(done, done + length), io);
        done += length;
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
    },
  });
}

/** Computes bytes of one chunk of the image at `position`, starting at byte `at` of it. */
async function rebuild(
  set: ParitySet,
  position: number,
  reader: TargetReader,
  at: number,
  into: Uint8Array,
  io: Io,
): Promise<void> {
  const { images } = set;
  const end = at + into.length;
  refuseStaleParity(set, position, at, end);
  const row = set.row(Math.floor(at / set.chunk));
  const { lost, other, hasP } = lostIn(set, row, position, end);
  const sums = { p: new Uint8Array(into.length), q: new Uint8Array(into.length) };
  const needsQ = !hasP || other !== undefined;
  const bytes = new Uint8Array(into.length);
  for (const [index, image] of images.entries()) {
    if (lost.includes(index) || image.target === undefined || (index === row.q && !needsQ)) continue;
    if (index === row.p && !hasP) continue;
    await reader.read(image.target, at, bytes, io);
    if (index !== row.q && hasP) addTimes(sums.p, bytes, 1);
    if (index !== row.p && needsQ)
      addTimes(sums.q, bytes, index === row.q ? 1 : generatorPower(row.exponent(index)));
  }
  into.fill(0);
  solve(row, position, other, hasP, sums, into);
}

function refuseStaleParity(
  { synced, mayBeBehind }: ParitySet,
  position: number,
  at: number,
  end: number,
): void {
  if (end > synced)
    throw new DiskError(
      'ERR_NOT_FOUND',
      `image ${position} is missing, and the parity is in sync up to byte ${synced} only`,
    );
  if (mayBeBehind?.(at, end))
    throw new DiskError(
      'ERR_NOT_FOUND',
      `image ${position} is missing, and the set stopped while bytes ${at} to ${end} of its images were being written: their parity may be out of date`,
    );
}

interface Lost {
  /** The images that are missing, or are not current up to the end of the range. */
  readonly lost: readonly number[];
  /** A second image of which data is missing. */
  readonly other: number | undefined;
  readonly hasP: boolean;
}

/** What is lost of one row. Throws if the parity that is left does not replace it. */
function lostIn({ images }: ParitySet, row: RaidRow, position: number, end: number): Lost {
  const lost = images.flatMap((image, index) =>
    image.upTo < end || image.target === undefined ? index : [],
  );
  const other = lost.find((index) => index !== position && index !== row.p && index !== row.q);
  const hasP = !lost.includes(row.p);
  const hasQ = row.q >= 0 && !lost.includes(row.q);
  if (other === undefined ? hasP || hasQ : hasP && hasQ && lost.length <= 2) return { lost, other, hasP };
  throw new DiskError(
    'ERR_NOT_FOUND',
    `images ${lost.join(', ')} of the RAID set are missing: too many for its parity`,
  );
}

/** Solves for one image. `sums` are the parities minus all data that was read: what remains is from the lost images. */
function solve(
  row: RaidRow,
  position: number,
  other: number | undefined,
  hasP: boolean,
  sums: { readonly p: Uint8Array; readonly q: Uint8Array },
  into: Uint8Array,
): void {
  const mine = row.exponent(position);
  if (other === undefined) {
    addTimes(into, hasP ? sums.p : sums.q, hasP ? 1 : generatorPower(-mine));
    return;
  }
  const distance = generatorPower(row.exponent(other) - mine);
  const scale = inverse(distance ^ 1);
  addTimes(into, sums.p, multiply(distance, scale));
  addTimes(into, sums.q, multiply(generatorPower(-mine), scale));
}
