import { breathe, type CheckFinding, hex, type Io, MAX_FINDINGS } from '@diskstack/core';
import { has } from '../../image/image.ts';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';
import { L2Entry } from '../../layout/decoded-l2-entry.ts';
import { hasReservedL1Bits, l2TableOffset } from '../../layout/l1-entry.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type MendShape, mendEntry } from './mend-entry.ts';
import { type RawTable, RawTables, reloadTables } from './raw-tables.ts';

/** What repairing the tables has changed, or would change. */
export class Mending {
  /** Repaired entries, including dropped ones. */
  entries = 0;
  /** Dropped entries: their content is lost. */
  losses = 0;
  /** Findings for the first dropped entries. */
  readonly dropped: CheckFinding[] = [];
  /** Whether whole tables were dropped: what they named is unknown. */
  losesTables = false;

  drop(message: string, offset: number): void {
    this.losses++;
    if (this.dropped.length < MAX_FINDINGS) this.dropped.push({ kind: 'corruption', message, offset });
  }
}

/**
 * Repairs the entries of all L1 and L2 tables in place. Usable entries keep their meaning; others are dropped. This
 * only removes references, so a crash leaves leaked clusters at most.
 *
 * @param beforeLoss awaited before a table with dropped entries is written
 */
export async function mendTables(
  state: ImageState,
  io: Io,
  dryRun: boolean,
  beforeLoss: () => Promise<void>,
): Promise<Mending> {
  const mending = new Mending();
  const shape = mendShape(state); // uses the end of the file before it grows
  const save = async (table: RawTable): Promise<void> => {
    if (mending.losses > 0) await beforeLoss();
    await table.save();
  };
  const tables = new RawTables(state);
  for await (const l1 of tables.l1Tables(io)) {
    const longer = await mendL1(state, l1, tables.places, mending);
    if (dryRun) continue;
    if (longer > state.file.disk.size()) await state.file.reach(longer);
    await save(l1);
  }
  for await (const l2 of tables.l2Tables(io)) {
    await mendL2(l2, shape, mending);
    if (!dryRun) await save(l2);
  }
  if (dryRun || mending.entries === 0) return mending;
  await state.file.barrier();
  await reloadTables(state);
  return mending;
}

function mendShape({ image, file }: ImageState): MendShape {
  return {
    geometry: image.geometry,
    version: image.header.version,
    extended: has(image, 'extendedL2'),
    external: has(image, 'externalDataFile'),
    end: file.disk.size(),
  };
}

/** Repairs an L1 table. Returns the size that the file needs for the L2 tables. */
async function mendL1(
  { image, file }: ImageState,
  l1: RawTable,
  places: OverlapGuard,
  mending: Mending,
): Promise<number> {
  const { clusterSize, l2Coverage } = image.geometry;
  const end = file.disk.size();
  let longer = 0;
  for (let position = 0; position < l1.view.byteLength; position += 8) {
    const pause = breathe();
    if (pause !== undefined) await pause;
    const hi = l1.view.getUint32(position);
    const lo = l1.view.getUint32(position + 4);
    if (hi === 0 && lo === 0) continue;
    const at = l2TableOffset(hi, lo);
    const place =
      at % clusterSize !== 0
        ? `not a multiple of ${clusterSize}`
        : at >= end
          ? `the file ends at ${hex(end)}`
          : overlap(places.kindOf(at / clusterSize));
    const from = (position / 8) * l2Coverage;
    if (at !== 0 && place !== undefined) {
      mending.entries++;
      mending.losesTables = true;
      const what = `an L2 table at byte ${hex(at)}, ${place}: guest bytes ${hex(from)} to ${hex(from + l2Coverage)} are no longer mapped`;
      mending.drop(what, l1.at + position);
      l1.put(position, 0, 0);
      continue;
    }
    if (hasReservedL1Bits(hi, lo)) {
      mending.entries++;
      l1.put(position, (hi & 0x80ffffff) >>> 0, (lo & 0xfffffe00) >>> 0);
    }
    if (at === 0 || at + clusterSize <= end) continue;
    mending.entries++;
    mending.losesTables = true;
    const what = `an L2 table at byte ${hex(at)} is cut short, the file ends at ${hex(end)}: the rest of its entries is lost`;
    mending.drop(what, l1.at + position);
    longer = Math.max(longer, at + clusterSize);
  }
  return longer;
}

function overlap(other: MetadataKind | undefined): string | undefined {
  return other === undefined || other === 'an L2 table' ? undefined : `where ${other} is`;
}

async function mendL2(l2: RawTable, shape: MendShape, mending: Mending): Promise<void> {
  const { view, at } = l2;
  const { l2EntryBytes } = shape.geometry;
  const entry = new L2Entry();
  for (let position = 0; position < view.byteLength; position += l2EntryBytes) {
    if (position % 32_768 === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    entry.decode(view, position, shape);
    const mend = mendEntry(entry, view.getUint32(position), view.getUint32(position + 4), shape);
    if (mend === undefined) continue;
    mending.entries++;
    if (mend.isLoss) mending.drop(mend.message, at + position);
    const { hi, lo, zero, allocation } = mend.entry;
    l2.put(position, hi, lo, ...(shape.extended ? [zero, allocation] : []));
  }
}
