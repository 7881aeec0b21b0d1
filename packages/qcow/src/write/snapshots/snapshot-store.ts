import type { SnapshotInfo, SnapshotStore, WorkIo } from '@diskstack/core';
import { createSnapshot, deleteSnapshot } from './snapshot-changes.ts';
import type { SnapshotContext } from './snapshot-tables.ts';

/** How snapshots are listed and changed. */
interface Changes {
  readonly list: () => readonly SnapshotInfo[];
  /** Runs one change of the snapshots. */
  readonly run: (change: (context: SnapshotContext) => Promise<void>) => Promise<void>;
  /** Makes the state of a snapshot the active one. */
  readonly apply: (context: SnapshotContext, idOrName: string, io: WorkIo) => Promise<void>;
}

/** The snapshots of an image, for the caller of the library. */
export function snapshotStoreOf({ list, run, apply }: Changes): SnapshotStore {
  return {
    list,
    create: async (name, io = {}) => {
      await run((context) => createSnapshot(context, name, io));
      return list().at(-1) as SnapshotInfo; // a new one is the last of the table
    },
    apply: (idOrName, io = {}) => run((context) => apply(context, idOrName, io)),
    delete: (idOrName, io = {}) => run((context) => deleteSnapshot(context, idOrName, io)),
  };
}
