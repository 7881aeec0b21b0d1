import { type CheckFinding, hex, type Io } from '@diskstack/core';
import { breathe, MAX_FINDINGS } from '@diskstack/core/format';
import { has } from '../../image/image.ts';
import type { MetadataKind, OverlapGuard } from '../../image/overlap-guard.ts';
import { L2Entry } from '../../layout/decoded-l2-entry.ts';
import { hasReservedL1Bits, l2TableOffset } from '../../layout/l1-entry.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { type RawTable, RawTables, reloadTables } from './raw-tables.ts';
import { type RepairShape, repairEntry } from './repair-entry.ts';

/** What repairing the tables has changed, or would change. */
export class TableRepair {
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
export async function repairTables(
  state: ImageState,
  io: Io,
  dryRun: boolean,
  beforeLoss: () => Promise<void>,
): Promise<TableRepair> {
  const tableRepair = new TableRepair();
  const shape = repairShape(state); // uses the end of the file before it grows
  const save = async (table: RawTable): Promise<void> => {
    if (tableRepair.losses > 0) await beforeLoss();
    await table.save();
  };
  const tables = new RawTables(state);
  for await (const l1 of tables.l1Tables(io)) {
    const longer = await repairL1(state, l1, tables.places, tableRepair);
    if (dryRun) continue;
    if (longer > state.file.disk.size()) await state.file.reach(longer);
    await save(l1);
  }
  for await (const l2 of tables.l2Tables(io)) {
    await repairL2(l2, shape, tableRepair);
    if (!dryRun) await save(l2);
  }
  if (dryRun || tableRepair.entries === 0) return tableRepair;
  await state.file.barrier();
  await reloadTables(state);
  return tableRepair;
}

function repairShape({ image, file }: ImageState): RepairShape {
  return {
    geometry: image.geometry,
    version: image.header.version,
    extended: has(image, 'extendedL2'),
    external: has(image, 'externalDataFile'),
    end: file.disk.size(),
  };
}

/** Repairs an L1 table. Returns the size that the file needs for the L2 tables. */
async function repairL1(
  { image, file }: ImageState,
  l1: RawTable,
  places: OverlapGuard,
  tableRepair: TableRepair,
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
      tableRepair.entries++;
      tableRepair.losesTables = true;
      const what = `an L2 table at byte ${hex(at)}, ${place}: guest bytes ${hex(from)} to ${hex(from + l2Coverage)} are no longer mapped`;
      tableRepair.drop(what, l1.at + position);
      l1.put(position, 0, 0);
      continue;
    }
    if (hasReservedL1Bits(hi, lo)) {
      tableRepair.entries++;
      l1.put(position, (hi & 0x80ffffff) >>> 0, (lo & 0xfffffe00) >>> 0);
    }
    if (at === 0 || at + clusterSize <= end) continue;
    tableRepair.entries++;
    tableRepair.losesTables = true;
    const what = `an L2 table at byte ${hex(at)} is cut short, the file ends at ${hex(end)}: the rest of its entries is lost`;
    tableRepair.drop(what, l1.at + position);
    longer = Math.max(longer, at + clusterSize);
  }
  return longer;
}

function overlap(other: MetadataKind | undefined): string | undefined {
  return other === undefined || other === 'an L2 table' ? undefined : `where ${other} is`;
}

async function repairL2(l2: RawTable, shape: RepairShape, tableRepair: TableRepair): Promise<void> {
  const { view, at } = l2;
  const { l2EntryBytes } = shape.geometry;
  const entry = new L2Entry();
  for (let position = 0; position < view.byteLength; position += l2EntryBytes) {
    if (position % 32_768 === 0) {
      const pause = breathe();
      if (pause !== undefined) await pause;
    }
    entry.decode(view, position, shape);
    const repaired = repairEntry(entry, view.getUint32(position), view.getUint32(position + 4), shape);
    if (repaired === undefined) continue;
    tableRepair.entries++;
    if (repaired.isLoss) tableRepair.drop(repaired.message, at + position);
    const { hi, lo, zero, allocation } = repaired.entry;
    l2.put(position, hi, lo, ...(shape.extended ? [zero, allocation] : []));
  }
}
