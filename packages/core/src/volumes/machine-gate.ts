import type { DiskModule } from '../contracts/disk-module.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { borrow } from '../disks/borrowed-disk.ts';
import { type BackingGate, type FoundDisk, volumes } from '../stack/backing-gate.ts';
import { basename, resolvePath } from '../stack/paths.ts';
import { Layer, withAbove } from './layer.ts';
import { canonicalVolumePath } from './volume-path.ts';

/**
 * The gate for images of a machine: what they may open among the volumes of that machine. An image in a logical volume names
 * volumes of its own group by the last part of the name, whatever folder they were in on the host that wrote the image. Any image
 * can name a volume by its whole path.
 *
 * @param layers the layers of the machine found so far
 * @param inside the layer that contains the image; `undefined` for an image that the caller named
 * @param next the gate for everything else. It does not get the address of a layer, which is not a path on this computer
 */
export function machineGate(
  layers: () => Iterable<Layer>,
  inside: Layer | undefined,
  next: BackingGate,
): BackingGate {
  const ofMachine = volumes(managerOf(layers));
  return async (request) => {
    // A volume that this gate found is the place where further names come from.
    const own = request.origin instanceof Layer ? request.origin : inside;
    if (own === undefined || request.home !== undefined || request.origin === ELSEWHERE)
      return (await ofMachine(request)) ?? elsewhere(await next(request));
    const { name } = request;
    const homeless = { ...request, image: undefined };
    if (name === undefined) return elsewhere(await next(homeless));
    const sibling = siblingOf(own, basename(name));
    if (sibling !== undefined) return found(sibling);
    return (
      (await ofMachine({ ...homeless, name: resolvePath('/', name) })) ?? elsewhere(await next(homeless))
    );
  };
}

/** `origin` of disks that are not part of the machine. Names in them are not relative to the layer where the chain began. */
const ELSEWHERE = Symbol('elsewhere');

function elsewhere(disk: FoundDisk | undefined): FoundDisk | undefined {
  return disk && { ...disk, origin: disk.origin ?? ELSEWHERE };
}

function managerOf(layers: () => Iterable<Layer>): VolumeManager {
  const all = (): readonly Layer[] => [...layers()].flatMap((one) => [...withAbove(one)]);
  return {
    async find(path) {
      const canonical = canonicalVolumePath(path);
      const layer = all().find(({ volume }) => volume?.device === canonical);
      return layer && { path: layer.path, disk: await lend(layer), origin: layer };
    },
    list: async () => all().flatMap(({ volume }) => volume?.device ?? []),
  };
}

async function found(layer: Layer): Promise<FoundDisk> {
  return {
    disk: await lend(layer),
    location: layer.path,
    identity: `volume ${layer.path}`,
    origin: layer,
  };
}

async function lend(layer: Layer): Promise<DiskModule> {
  return borrow(await layer.disk(), { location: layer.path, readOnly: true });
}

/** Another volume of the same group whose device has this name. */
function siblingOf(own: Layer, name: string): Layer | undefined {
  const { below, set, volume } = own;
  if (volume?.device === undefined) return undefined;
  for (const layer of below?.above.values() ?? []) {
    const { device } = layer.volume ?? {};
    if (layer !== own && layer.set === set && device !== undefined && basename(device) === name) return layer;
  }
  return undefined;
}
