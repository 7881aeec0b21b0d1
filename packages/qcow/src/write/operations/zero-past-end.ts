import type { Io } from '@diskstack/core';
import { roundUp } from '@diskstack/core/format';
import type { WriteContext } from '../data/write-context.ts';
import { zero } from '../data/zero.ts';

/** Bytes in one write of zeroes. */
const PIECE = 1024 * 1024;

/**
 * Zeroes the guest bytes between the old and the new end of the disk: neither old data nor a longer base may show
 * there.
 */
export async function zeroPastEnd(context: WriteContext, from: number, to: number, io: Io): Promise<void> {
  const { entries, base } = context;
  const whole = Math.min(to, roundUp(from, entries.unitSize));
  if (whole > from && !(await readsZero(context, from))) await writeZeroes(context, from, whole, io);
  if (whole < to && !(await zero(context, whole, to - whole, { ...io, unmap: true }))) {
    await writeZeroes(context, whole, Math.min(to, Math.max(whole, base?.size() ?? 0)), io);
  }
}

/** Whether the unit of this byte reads as zeroes already. */
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
