import { can } from '../contracts/abilities.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { Volume } from '../contracts/volume-layout.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import type { Layer } from './layer.ts';

/** The layers that a layout searched for a group, and which of them the caller chose. */
export interface AskedLayers {
  /** In the order in which the layout got them. */
  readonly asked: readonly Layer[];
  /** The disk in the address of the volume. */
  readonly listedAt: Layer;
  /** The disks that the caller passed as physical volumes (`pvs`). */
  readonly named: ReadonlySet<Layer>;
  /** Reports whether two names lead to the same file. */
  readonly driver: StorageDriver | undefined;
}

/**
 * Refuses a volume if one of its physical volumes exists twice, unless the caller chooses a copy: by the address of the volume,
 * or in `pvs`. Copies inside logical volumes and guest images are ignored, so that a guest cannot make a volume of the host
 * unreadable by copying a header.
 */
export async function refuseUnchosenCopy(volume: Volume, layers: AskedLayers): Promise<void> {
  const { asked, listedAt, named, driver } = layers;
  for (const numbers of volume.copies ?? []) {
    const same = numbers.flatMap((number) => asked[number] ?? []);
    const isChosen = (layer: Layer): boolean => layer === listedAt || named.has(layer);
    const [used] = same;
    const others = same.slice(1).filter((layer) => isChosen(layer) || isOfCaller(layer));
    if (used === undefined || others.length === 0) continue;
    const chosen = [used, ...others].filter(isChosen);
    if (chosen.length === 1 && chosen[0] === used) continue;
    const apart = await differing([used, ...others], driver);
    if (apart.length === 1) continue;
    const names = apart.map(({ path }) => quote(path)).join(' and ');
    throw new DiskError(
      'ERR_ARGUMENT',
      `${names} have the same physical volume UUID, and nothing shows which copy is current: name the one to use (pvs), or leave out the others`,
      { layer: volume.layer, hint: { option: 'pvs' } },
    );
  }
}

/** Whether the layer is a disk that the caller named, or a partition of one. */
function isOfCaller(layer: Layer): boolean {
  if (layer.below === undefined) return true;
  return layer.kind === 'partition' && isOfCaller(layer.below);
}

/** The layers without those that are another name of the same file. */
async function differing(
  layers: readonly Layer[],
  driver: StorageDriver | undefined,
): Promise<readonly Layer[]> {
  const found = new Map<unknown, Layer>();
  for (const layer of layers) {
    const disk = layer.below === undefined ? await layer.disk() : undefined;
    const location = disk !== undefined && can(disk, 'location') ? disk.location : undefined;
    const identity = location === undefined ? layer : await driver?.identity(location);
    if (!found.has(identity ?? layer)) found.set(identity ?? layer, layer);
  }
  return [...found.values()];
}
