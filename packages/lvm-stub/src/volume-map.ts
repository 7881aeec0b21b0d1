import { borrow, canonicalVolumePath, DiskError, type DiskModule, type VolumeManager } from '@diskstack/core';

/** A volume: an open disk, or how to make one (then it is made when it is first asked for, and closed with the map). */
export type DeclaredVolume = DiskModule | (() => DiskModule | Promise<DiskModule>);

export interface VolumeMapOptions {
  /** What logical volumes add to the column of `diskType`. `'LVM2'` unless told. */
  readonly diskType?: string;
}

/** A volume manager that also owns what it made. */
export interface VolumeMap extends VolumeManager, AsyncDisposable {
  /** Closes the disks that the map made itself; those given to it open stay open. */
  close(): Promise<void>;
}

/**
 * An appliance volume manager over a declared map of paths to disks: for tools that already know their volumes, and for
 * tests. `/dev/vg/lv` and `/dev/mapper/vg-lv` are one volume, whichever of them was declared.
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
      making.catch(() => made.delete(path)); // whoever asks next tries again
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
