import type { DiskModule } from '../contracts/disk-module.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { borrow } from '../disks/borrowed-disk.ts';
import { basename, resolvePath } from '../paths.ts';
import { type BackingGate, type FoundDisk, volumes } from '../stack/backing-gate.ts';
import { type Layer, withAbove } from './layer.ts';
import { canonicalVolumePath } from './volume-path.ts';

/**
 * What an image may open among the volumes of its own machine. An image in a logical volume names volumes of its own
 * group by the last part of the name, whatever folder it was in on the host that wrote it; any image names a volume by
 * its whole path.
 *
 * No file of this computer has a say in what an image inside a volume means by a path.
 */
export function machineVolumes(layers: () => Iterable<Layer>): BackingGate {
  const manager: VolumeManager = {
    async find(path) {
      const canonical = canonicalVolumePath(path);
      const layer = [...layers()]
        .flatMap((one) => [...withAbove(one)])
        .find((one) => devicePath(one) === canonical);
      return layer && { path: layer.path, disk: await lend(layer) };
    },
    list: async () =>
      [...layers()].flatMap((one) => [...withAbove(one)]).flatMap((one) => devicePath(one) ?? []),
  };
  const ofHost = volumes(manager);
  return async (request) => {
    const own = [...layers()].flatMap((one) => [...withAbove(one)]).find((one) => one.path === request.image);
    if (own === undefined || own.below === undefined) return ofHost(request);
    const sibling = own.volume?.kind === 'lv' ? siblingOf(own, basename(request.name)) : undefined;
    if (sibling !== undefined) return found(sibling);
    return ofHost({ ...request, name: resolvePath('/', request.name), driver: undefined });
  };
}

async function found(layer: Layer): Promise<FoundDisk> {
  return { disk: await lend(layer), location: layer.path, identity: `volume ${layer.path}` };
}

async function lend(layer: Layer): Promise<DiskModule> {
  return borrow(await layer.disk(), { location: layer.path, readOnly: true });
}

/** Another volume of the same group with this name. */
function siblingOf(own: Layer, name: string): Layer | undefined {
  const { below, set } = own;
  for (const layer of below?.above.values() ?? [])
    if (layer !== own && layer.set === set && layer.volume?.layer.endsWith(`/${name}`)) return layer;
  return undefined;
}

/** `/dev/vg/lv` of a logical volume. */
function devicePath({ volume }: Layer): string | undefined {
  return volume?.kind === 'lv' ? `/dev/${volume.layer.slice(volume.layer.indexOf(':') + 1)}` : undefined;
}
