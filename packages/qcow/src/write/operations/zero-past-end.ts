import { type Io, roundUp } from '@diskstack/core';
import type { WriteContext } from '../data/write-context.ts';
import { zero } from '../data/zero.ts';

/** Bytes of zeroes that are written at a time. */
const PIECE = 1024 * 1024;

/** Between the end of the disk and the one that it is to have: nothing that was there, or shows there, may be read. */
export async function zeroPastEnd(context: WriteContext, from: number, to: number, io: Io): Promise<void> {
  const { entries, base } = context;
  const whole = Math.min(to, roundUp(from, entries.unitSize));
  if (whole > from && !(await readsZero(context, from))) await writeZeroes(context, from, whole, io);
  if (whole < to && !(await zero(context, whole, to - whole, { ...io, unmap: true }))) {
    await writeZeroes(context, whole, Math.min(to, Math.max(whole, base?.size() ?? 0)), io);
  }
}

/** Whether nothing but zeroes can stand in the unit of this byte. */
async function readsZero({ entries, state, base, geometry }: WriteContext, offset: number): Promise<boolean> {
  const { clusterSize, l2Coverage, l2Entries } = geometry;
  const showsBase = (base?.size() ?? 0) > offset - (offset % entries.unitSize);
  const table = await state.tables.table(Math.floor(offset / l2Coverage));
  if (table === undefined) return !showsBase;
  const { allocated, zeroes } = entries.read(table, Math.floor(offset / clusterSize) % l2Entries);
  const unit = entries.mask(offset % clusterSize, (offset % clusterSize) + 1);
  return (zeroes & unit) !== 0 || ((allocated & unit) === 0 && !showsBase);
}

async function writeZeroes({ write }: WriteContext, from: number, to: number, io: Io): Promise<void> {
  for (let offset = from; offset < to; offset += PIECE) {
    await write(offset, new Uint8Array(Math.min(PIECE, to - offset)), io);
  }
}
