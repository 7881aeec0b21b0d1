import type { QcowImage } from '../../image/image.ts';
import type { OverlapGuard } from '../../image/overlap-guard.ts';
import { readStructure } from '../../image/structure.ts';
import { completeSnapshot, MOST_EXTRA_BYTES, type Snapshot } from '../../layout/snapshot.ts';
import type { SnapshotTable } from '../../snapshots/snapshot-table.ts';
import type { ImageState } from '../metadata/image-state.ts';
import { stage } from '../metadata/staging.ts';

/**
 * Snapshots whose entries are fixed by rewriting the table: entries of version 3 without a disk size, and entries with
 * more extra data than qemu accepts.
 */
export function incompleteSnapshots(
  table: SnapshotTable | undefined,
  { header }: QcowImage,
): readonly Snapshot[] {
  return (
    table?.snapshots.filter(
      ({ diskSize, extraDataSize }) =>
        extraDataSize > MOST_EXTRA_BYTES || (header.version >= 3 && diskSize === undefined),
    ) ?? []
  );
}

/** The entries of the table, each with complete extra data. `without` is left out. */
export async function snapshotTableBytes(
  { file, image }: ImageState,
  { at, length, snapshots }: SnapshotTable,
  without?: Snapshot,
): Promise<Uint8Array> {
  if (length === 0) return new Uint8Array(0);
  const bytes = await readStructure(file.disk, { what: 'a snapshot table', at, length }, {});
  const entries: Uint8Array[] = [];
  for (const [index, snapshot] of snapshots.entries()) {
    if (snapshot === without) continue;
    const end = snapshots[index + 1]?.at ?? at + length;
    entries.push(
      completeSnapshot(bytes.subarray(snapshot.at - at, end - at), snapshot.extraBytes, image.header.size),
    );
  }
  return joined(entries);
}

/** Concatenates the parts. */
export function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Rewrites the snapshot table so that each entry records its disk size. */
export async function completeSnapshots(
  { state, guard }: { readonly state: ImageState; readonly guard: OverlapGuard },
  table: SnapshotTable | undefined,
): Promise<void> {
  if (table === undefined || incompleteSnapshots(table, state.image).length === 0) return;
  await stage(state, guard, async (staging) => {
    const bytes = await snapshotTableBytes(state, table);
    const snapshotsOffset = await staging.write('the snapshot table', bytes);
    const { clusterSize } = state.image.geometry;
    await staging.drop(table.at / clusterSize, Math.ceil(table.sureLength / clusterSize));
    await staging.switch({ snapshotsOffset });
  });
}
