import {
  canonicalVolumePath,
  type Volume,
  type VolumeManager,
  type VolumeSet,
} from '@diskstack/core/volumes';

/**
 * A volume manager for volume groups that were read from disks. An overlay that is stored in a logical volume finds its
 * backing volume here, as `/dev/vg/lv` or `/dev/mapper/vg-lv`. The caller keeps ownership of the physical volumes and
 * must not close them while a volume is open.
 *
 *     const volumes = volumeManager(await lvm2.find(members, context));
 */
export function volumeManager(groups: readonly VolumeSet[]): VolumeManager {
  const volumes = new Map<string, Volume>(
    groups.flatMap(({ name, volumes: listed }) =>
      listed.flatMap((volume) =>
        volume.kind === 'lv' ? [[`/dev/${name}/${volume.name}`, volume] as const] : [],
      ),
    ),
  );
  return {
    async find(path) {
      const canonical = canonicalVolumePath(path);
      const disk = await volumes.get(canonical)?.open();
      return disk && { path: canonical, disk };
    },
    list: async () => [...volumes.keys()],
  };
}
