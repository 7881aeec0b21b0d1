import { can } from '../contracts/abilities.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { Volume } from '../contracts/volume-layout.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import type { Layer } from './layer.ts';

/** The layers that a group was looked for on, and what the caller says of them. */
export interface AskedLayers {
  /** In the order in which the layout saw them. */
  readonly asked: readonly Layer[];
  /** The disk that the address of the volume leads through. */
  readonly listedAt: Layer;
  /** The disks that the caller calls physical volumes. */
  readonly named: ReadonlySet<Layer>;
  /** Knows whether two names lead to one file. */
  readonly driver: StorageDriver | undefined;
}

/**
 * Refuses a volume on a disk that is there twice, unless the caller says which of the copies counts: by the address of the
 * volume, or as a physical volume. A copy inside a logical volume or an image of a guest does not count: a guest that
 * copies a header makes no volume of the host unreadable.
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
      `the physical volume of ${names} is one and the same by its UUID: nothing says which copy is current; say which one counts (pvs), or leave the others away`,
      { layer: volume.layer, hint: { option: 'pvs' } },
    );
  }
}

/** A disk that the caller names, or a partition of one. */
function isOfCaller(layer: Layer): boolean {
  if (layer.below === undefined) return true;
  return layer.kind === 'partition' && isOfCaller(layer.below);
}

/** The layers without those that are a further name of the same file. */
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
