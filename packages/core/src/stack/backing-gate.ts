import type { DiskModule } from '../contracts/disk-module.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { isWithin } from './location-names.ts';
import { basename, dirname, resolvePath } from './paths.ts';

/**
 * The gate: what may be opened because an image names it. A guest can write any name into a disk that it controls, so
 * each name passes a chain of resolvers, the first answer counts, and where none answers the name is refused.
 */
export type BackingGate = (request: BackingRequest) => Promise<FoundDisk | undefined>;

export interface BackingRequest {
  /**
   * By the rules of `driver`: UTF-8, no NUL. It has a scheme only where `allowSchemes` names that. `undefined` for a disk that
   * the image knows by its `uuid` alone.
   */
  readonly name: string | undefined;
  /** Identifies the disk, where the image knows that. A gate of the caller may find a disk by it. */
  readonly uuid?: string | undefined;
  /**
   * What the image that names it is called: a path, the path of a volume, the address of a layer. For messages, and for
   * the names of volumes. No file is found by it: see `home`.
   */
  readonly image: string | undefined;
  /**
   * Where the image is in the name space of `driver`: relative names are seen from there. `undefined` for an image that
   * was found inside another disk, or opened as bytes: it has no folder.
   */
  readonly home: string | undefined;
  /** Opens what is named: the driver of the image or, where the image has no home, the first of the program. */
  readonly driver: StorageDriver | undefined;
  /** What the gate said of the image when it found it itself (`FoundDisk.origin`). */
  readonly origin: unknown;
  /**
   * Canonical folders below which files may be opened: what the caller allows, and the folder of the image that the caller
   * opened, for as long as the chain is one of files.
   */
  readonly roots: readonly string[];
  /** `base`: a disk with a format, below the image. `storage`: a file with bytes of the image itself. */
  readonly use: 'base' | 'storage';
  /** The disk is to be written: a storage of an image that is. Never a base. */
  readonly writable: boolean;
}

/** What a name leads to: not opened yet. */
export interface FoundDisk {
  readonly disk: DiskModule;
  /** What it is called. */
  readonly location: string;
  /** Where it is in the name space of the request's driver, where it is a file there. Default: it has no folder. */
  readonly home?: string | undefined;
  /** For the gate itself: comes back with the names that stand in this disk. */
  readonly origin?: unknown;
  /** Equal for two names exactly when they lead to the same bytes: how loops are seen. */
  readonly identity: string;
  /** The format of the disk, in place of the one that the image records for it. */
  readonly format?: string | undefined;
}

/** Refuses every name. */
export const deny: BackingGate = async ({ name, uuid = '' }) => {
  throw new DiskError(
    'ERR_BACKING_DENIED',
    `the image names ${quote(name ?? uuid)}, and nothing that it names may be opened`,
  );
};

/** The first resolver that answers decides. */
export function firstOf(...resolvers: readonly BackingGate[]): BackingGate {
  return async (request) => {
    for (const resolve of resolvers) {
      const found = await resolve(request);
      if (found !== undefined) return found;
    }
    return undefined;
  };
}

/**
 * Logical volumes. A name is a volume's when nothing but a volume can be meant (its path is neither a regular file nor
 * a symbolic link) and the manager knows it: by its last part in the folder of the image, or by its whole path.
 */
export function volumes(manager: VolumeManager): BackingGate {
  return async ({ name, image, home, driver }) => {
    if (name === undefined) return undefined;
    // Files of this computer have no say in what an image without a home means.
    const file = home === undefined ? undefined : driver?.resolve(home, name);
    const kind = file === undefined ? undefined : await driver?.kind(file);
    if (kind === 'file' || kind === 'symlink') return undefined;
    const folder = dirname(home ?? image ?? '/');
    const volume =
      (await manager.find(resolvePath(folder, basename(name)))) ??
      (await manager.find(resolvePath(folder, name)));
    if (volume === undefined) return undefined;
    const { disk, path, origin } = volume;
    return { disk, location: path, identity: `volume ${path}`, origin };
  };
}

/** Files below the roots, judged after symbolic links are resolved, and opened by the path that was judged. */
export const filesBelowRoots: BackingGate = async ({ name, home, driver, roots, writable }) => {
  if (driver === undefined || name === undefined) return undefined;
  const path = driver.resolve(home, name);
  if (path === undefined) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}, and has no folder of its own to look in: it is inside another disk, or was not opened by a path; allowBacking can allow absolute names`,
      { hint: { option: 'allowBacking' } },
    );
  }
  const canonical = await driver.canonical(path);
  const judged = canonical ?? (await nearestFolder(driver, path));
  // A link that leads nowhere is not said to: whether something is there would tell of places outside.
  const isDangling = canonical === undefined && (await driver.kind(path)) === 'symlink';
  if (isDangling || !roots.some((root) => isWithin(driver, judged, root))) {
    const allowed = roots.length === 0 ? 'no folder' : roots.map(quote).join(', ');
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}, outside of what may be opened (${allowed}); allowBacking can name more folders`,
      { hint: { option: 'allowBacking' } },
    );
  }
  if (canonical === undefined) {
    throw new DiskError(
      'ERR_NOT_FOUND',
      `the image names ${quote(name)}, and no file ${quote(path)} is there`,
    );
  }
  return {
    disk: driver.open(canonical, { writable }),
    location: path,
    home: path,
    identity: await driver.identity(canonical),
  };
};

/** Where nothing stands, the folder that would hold it: "not found" is said only of places that could be looked into. */
async function nearestFolder(driver: StorageDriver, path: string): Promise<string> {
  for (let folder = driver.parent(path); ; folder = driver.parent(folder)) {
    const canonical = await driver.canonical(folder);
    if (canonical !== undefined) return canonical;
    if (driver.parent(folder) === folder) return folder;
  }
}
