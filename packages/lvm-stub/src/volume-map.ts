import { borrow, DiskError, type DiskModule } from '@diskstack/core';
import { canonicalVolumePath, type VolumeManager } from '@diskstack/core/volumes';

/**
 * A volume: an open disk, or a function that opens one. The map calls the function on the first `find`, and closes the
 * result when the map is closed. It never closes a disk that was passed open.
 */
export type DeclaredVolume = DiskModule | (() => DiskModule | Promise<DiskModule>);

export interface VolumeMapOptions {
  /** The `diskType` of the volumes. Default: `'LVM2'`. */
  readonly diskType?: string;
}

/** A volume manager that owns the disks that its functions opened. */
export interface VolumeMap extends VolumeManager, AsyncDisposable {
  /** Closes the disks that the functions of the map opened. */
  close(): Promise<void>;
}

/**
 * A volume manager over a map from paths to disks, for tools that already know their volumes, and for tests. A volume is found as
 * `/dev/vg/lv` and as `/dev/mapper/vg-lv`, whichever path the map has. Throws `ERR_ARGUMENT` if two paths name the same volume.
 *
 *     const volumes = volumeMap({ '/dev/vg0/base': () => new FileDisk('/images/base.img') });
 */
export function volumeMap(
  declared: Readonly<Record<string, DeclaredVolume>>,
  options: VolumeMapOptions = {},
): VolumeMap {
  const { diskType = 'LVM2' } = options;
  const volumes = new Map<string, DeclaredVolume>();
  for (const [path, volume] of Object.entries(declared)) {
    const canonical = canonicalVolumePath(path);
    if (volumes.has(canonical))
      throw new DiskError('ERR_ARGUMENT', `the volume ${canonical} is declared twice`);
    volumes.set(canonical, volume);
  }
  const made = new Map<string, Promise<DiskModule>>();

  const disk = (path: string, volume: DeclaredVolume): Promise<DiskModule> | DiskModule => {
    if (typeof volume !== 'function') return volume;
    let making = made.get(path);
    if (making === undefined) {
      making = Promise.resolve(volume());
      made.set(path, making);
      making.catch(() => made.delete(path)); // after a failure, the next call tries again
    }
    return making;
  };

  const close = async (): Promise<void> => {
    const making = [...made.values()];
    made.clear();
    for (const result of await Promise.allSettled(making)) {
      if (result.status === 'fulfilled') await result.value.close();
    }
  };

  return {
    async find(path) {
      const canonical = canonicalVolumePath(path);
      const volume = volumes.get(canonical);
      if (volume === undefined) return undefined;
      const lent = borrow(await disk(canonical, volume), { diskType, location: canonical });
      return { path: canonical, disk: lent };
    },
    list: async () => [...volumes.keys()],
    close,
    [Symbol.asyncDispose]: close,
  };
}
