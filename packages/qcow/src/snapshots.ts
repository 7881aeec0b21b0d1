import { DiskError, type DiskModule, type Io, type Limits, quote } from '@diskstack/core';
import type { QcowImage } from './image.ts';
import { HEADER_V2, type Header } from './layout/header.ts';
import { decodeSnapshot, SNAPSHOT, type Snapshot } from './layout/snapshot.ts';

/** The snapshot table: how many bytes it takes, and what is in it. */
export interface SnapshotTable {
  readonly at: number;
  readonly length: number;
  readonly snapshots: readonly Snapshot[];
}

/** The snapshot table, or what is wrong with it: the active state reads without it. */
export async function readSnapshotsIfSound(image: QcowImage, io: Io): Promise<SnapshotTable | DiskError> {
  try {
    return await readSnapshots(image.file, image.header, image.limits, io);
  } catch (error) {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    return error;
  }
}

/** Reads the snapshot table entry by entry: its length is not recorded anywhere. */
export async function readSnapshots(
  file: DiskModule,
  { nbSnapshots, snapshotsOffset, clusterBits }: Header,
  limits: Limits,
  io: Io,
): Promise<SnapshotTable> {
  if (nbSnapshots === 0) return { at: snapshotsOffset, length: 0, snapshots: [] };
  if (nbSnapshots > limits.maxSnapshots) {
    throw new DiskError('ERR_LIMIT', `${nbSnapshots} snapshots, maxSnapshots allows ${limits.maxSnapshots}`, {
      offset: HEADER_V2.at.nbSnapshots,
    });
  }
  if (snapshotsOffset % 2 ** clusterBits !== 0) {
    throw new DiskError(
      'ERR_CORRUPT',
      `the snapshot table is at byte ${snapshotsOffset}, not a multiple of ${2 ** clusterBits}`,
      {
        offset: HEADER_V2.at.snapshotsOffset,
      },
    );
  }
  // No entry is shorter than its fixed part, so a table that the file cannot hold is refused before it is read.
  const left = Math.max(0, file.size() - snapshotsOffset);
  if (nbSnapshots * SNAPSHOT.size > left) {
    throw new DiskError(
      'ERR_TRUNCATED',
      `${nbSnapshots} snapshots need ${nbSnapshots * SNAPSHOT.size} bytes, ${left} are there`,
      {
        offset: HEADER_V2.at.snapshotsOffset,
      },
    );
  }
  return decodeTable(file, snapshotsOffset, nbSnapshots, Math.min(left, limits.maxSnapshotTableBytes), io);
}

/** Twice as much of the table as before, until all entries are in it. */
async function decodeTable(
  file: DiskModule,
  at: number,
  count: number,
  maxLength: number,
  io: Io,
): Promise<SnapshotTable> {
  for (let length = Math.min(64 * 1024, maxLength); ; length = Math.min(length * 2, maxLength)) {
    const table = await file.read(at, length, io);
    const snapshots: Snapshot[] = [];
    let position = 0;
    try {
      while (snapshots.length < count) {
        const { snapshot, next } = decodeSnapshot(table, position, at);
        snapshots.push(snapshot);
        position = next;
      }
      return { at, length: position, snapshots };
    } catch (error) {
      const isCut = error instanceof DiskError && error.code === 'ERR_TRUNCATED';
      if (!isCut || length === maxLength) throw error;
    }
  }
}

/** By id first, else by name. `ERR_ARGUMENT` when the one is an id and the other a name of two snapshots. */
export function findSnapshot(snapshots: readonly Snapshot[], wanted: string): Snapshot {
  const byId = snapshots.find(({ id }) => id === wanted);
  const byName = snapshots.find(({ name }) => name === wanted);
  if (byId !== undefined && byName !== undefined && byId !== byName) {
    throw new DiskError('ERR_ARGUMENT', `${quote(wanted)} is the id of one snapshot and the name of another`);
  }
  const found = byId ?? byName;
  if (found !== undefined) return found;
  const known = snapshots.map(({ id, name }) => `${quote(id)} ${quote(name)}`).join(', ');
  throw new DiskError('ERR_NOT_FOUND', `no snapshot ${quote(wanted)}; the image has ${known || 'none'}`);
}
