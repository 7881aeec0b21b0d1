import type { QcowImage } from '../image.ts';
import { completeSnapshot, type Snapshot } from '../layout/snapshot.ts';
import type { SnapshotTable } from '../snapshots.ts';
import { readStructure } from '../structure.ts';
import type { WrittenImage } from './commit.ts';
import type { OverlapGuard } from './overlap-guard.ts';
import { stage } from './staging.ts';

/** Snapshots of version 3 that do not say how large their disk is. It is the current size, until that changes. */
export function incompleteSnapshots(
  table: SnapshotTable | undefined,
  { header }: QcowImage,
): readonly Snapshot[] {
  if (header.version < 3) return [];
  return table?.snapshots.filter(({ diskSize }) => diskSize === undefined) ?? [];
}

/** The entries of the table, with all of the extra data and whatever else they have; without one of them. */
export async function snapshotTableBytes(
  { file, image }: WrittenImage,
  { at, length, snapshots }: SnapshotTable,
  without?: Snapshot,
): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const bytes = await readStructure(file.disk, { what: 'a snapshot table', at, length }, {});
  const entries: Uint8Array[] = [];
  for (const [index, snapshot] of snapshots.entries()) {
    if (snapshot === without) continue;
    const end = snapshots[index + 1]?.at ?? at + length;
    entries.push(completeSnapshot(bytes.subarray(snapshot.at - at, end - at), image.header.size));
  }
  return joined(entries);
}

/** One after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Rewrites the snapshot table, so that each entry says how large its disk is. */
export async function completeSnapshots(
  { written, guard }: { readonly written: WrittenImage; readonly guard: OverlapGuard },
  table: SnapshotTable | undefined,
): Promise<void> {
  if (table === undefined || incompleteSnapshots(table, written.image).length === 0) return;
  await stage(written, guard, async (staging) => {
    const bytes = await snapshotTableBytes(written, table);
    const snapshotsOffset = await staging.write('the snapshot table', bytes);
    const { clusterSize } = written.image.geometry;
    await staging.drop(table.at / clusterSize, Math.ceil(table.length / clusterSize));
    await staging.switch({ snapshotsOffset });
  });
}
