import { canonicalVolumePath, type Volume, type VolumeManager, type VolumeSet } from '@diskstack/core';

/**
 * The appliance volume manager over real volume groups: an overlay in a logical volume finds its backing volume by
 * `/dev/vg/lv` or `/dev/mapper/vg-lv`. The disks that the groups are on stay the caller's.
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
