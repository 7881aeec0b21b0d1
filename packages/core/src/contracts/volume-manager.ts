import type { DiskModule } from './disk-module.ts';

/** A logical volume, found by its path. */
export interface FoundVolume {
  /** The path under which the manager lists it: `/dev/vg/lv`. */
  readonly path: string;
  /** A handle that the caller owns. Closing it leaves the volume open for other handles. */
  readonly disk: DiskModule;
  /** Opaque value for the gate of this manager: the gate gets it back with each name that is found in this volume. */
  readonly origin?: unknown;
}

/** The service that finds logical volumes by path. The ancestor (docs/parity.md) calls it "appliance volume manager". */
export interface VolumeManager {
  /** Finds the volume of a path, in any spelling that the manager knows. Returns `undefined` if there is none. */
  find(path: string): Promise<FoundVolume | undefined>;
  /** Returns the paths of all volumes. */
  list(): Promise<readonly string[]>;
}
