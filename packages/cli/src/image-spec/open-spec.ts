import {
  type BackingGate,
  can,
  DiskError,
  type DiskModule,
  type Disks,
  deny,
  firstOf,
  type OpenOptions,
  quote,
  SliceDisk,
} from '@diskstack/core';
import type { StorageDriver } from '@diskstack/core/format';
import type { Secrets } from '../secrets/secrets.ts';
import { type ImageSpec, isPartOf, type StorageSpec } from './image-spec.ts';

/** The services that open a described image. */
export interface SpecOpener {
  readonly disks: Disks;
  readonly files: StorageDriver;
  /** Decides about the names that the description does not replace. */
  readonly gate: BackingGate;
  readonly secrets: Secrets;
}

/** Opens a described image. `location` is its path in the command. Options of the command override the description. */
export async function openSpec(
  { disks, files, gate, secrets }: SpecOpener,
  spec: ImageSpec,
  location: string,
  options: OpenOptions,
): Promise<DiskModule> {
  if (spec.readOnly && options.mountMode === 'rw')
    throw new DiskError('ERR_READ_ONLY', 'the image is given with read-only=on', { layer: location });
  // A part of a file has no folder: a guest may have written its content.
  const home = isPartOf(spec.storage) ? {} : { location };
  const name = isPartOf(spec.storage) ? spec.storage.path : location;
  const opening = { ...options, format: options.format ?? spec.format, ...home };
  const bases = new Map<string, ImageSpec>();
  bindKeys(secrets, spec, name);
  for (let [above, at]: [ImageSpec, string] = [spec, name]; above.backing !== undefined; ) {
    await checkReplaceable(disks, files, above, at);
    bases.set(at, above.backing);
    [above, at] = [above.backing, above.backing.storage.path];
  }
  const below = options.gate === 'deny' ? deny : (options.gate ?? gate);
  return disks.open(storageOf(files, spec.storage, options.mountMode === 'rw'), {
    ...opening,
    gate: bases.size === 0 ? options.gate : firstOf(described(files, bases), below),
  });
}

function bindKeys(secrets: Secrets, spec: ImageSpec, location: string): void {
  if (spec.keySecret !== undefined) secrets.bind(location, spec.keySecret);
  if (spec.backing !== undefined) bindKeys(secrets, spec.backing, spec.backing.storage.path);
}

/** The file, or the part of it. */
export function storageOf(files: StorageDriver, storage: StorageSpec, writable = false): DiskModule {
  const file = files.open(storage.path, { writable });
  return isPartOf(storage) ? new SliceDisk(file, storage.offset, storage.size) : file;
}

/** Refuses `backing.*` for an image without a backing file, or with a further name that it cannot replace. */
async function checkReplaceable(
  disks: Disks,
  files: StorageDriver,
  spec: ImageSpec,
  location: string,
): Promise<void> {
  await using disk = await disks.open(storageOf(files, spec.storage), {
    format: spec.format,
    metadataOnly: true,
    location,
  });
  const info = can(disk, 'info') ? disk.info() : undefined;
  const refuse = (reason: string): never => {
    throw new DiskError('ERR_UNSUPPORTED', `backing.* describes a base, and ${quote(location)} ${reason}`);
  };
  if (info?.backing === undefined) refuse('names no backing file that it could replace');
  if (info?.dataFile !== undefined) refuse('has a data file: that is not supported');
}

/** A gate that opens the described base of an image. */
function described(files: StorageDriver, bases: ReadonlyMap<string, ImageSpec>): BackingGate {
  return async ({ image, use }) => {
    const base = image === undefined || use !== 'base' ? undefined : bases.get(image);
    if (base === undefined) return undefined;
    const { storage, format } = base;
    const disk = storageOf(files, storage);
    const part = isPartOf(storage) ? ` at ${storage.offset}` : '';
    const identity = `${await files.identity(storage.path)}${part}`;
    const home = isPartOf(storage) ? {} : { home: storage.path };
    return { disk, location: storage.path, ...home, identity, format };
  };
}
