import type { DiskModule } from './disk-module.ts';

/** A logical volume, found by its path. */
export interface FoundVolume {
  /** The path under which the manager lists it: `/dev/vg/lv`. */
  readonly path: string;
  /** A handle of the caller's own: closing it leaves the volume open for others. */
  readonly disk: DiskModule;
  /** For the gate that the manager belongs to: comes back with the names that stand in this volume. */
  readonly origin?: unknown;
}

/** The service that knows logical volumes by path: the ancestor's "appliance volume manager". */
export interface VolumeManager {
  /** The volume of this path, in any spelling that the manager knows, or `undefined`. */
  find(path: string): Promise<FoundVolume | undefined>;
  /** Paths of all volumes. */
  list(): Promise<readonly string[]>;
}
