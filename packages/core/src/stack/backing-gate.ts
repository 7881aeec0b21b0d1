import type { DiskModule } from '../contracts/disk-module.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { isWithin } from './location-names.ts';
import { basename, dirname, resolvePath } from './paths.ts';

/**
 * Decides what may be opened because an image names it. A guest can write any name into a disk that it controls, so each name
 * goes through a chain of resolvers. The first answer counts. A name that no resolver answers is refused.
 */
export type BackingGate = (request: BackingRequest) => Promise<FoundDisk | undefined>;

export interface BackingRequest {
  /**
   * The name, by the rules of `driver`: UTF-8 without NUL. It has a scheme only if `allowSchemes` allows that scheme. `undefined`
   * for a disk that the image knows by its `uuid` alone.
   */
  readonly name: string | undefined;
  /** UUID of the disk, if the image records one. A gate of the caller may find the disk by it. */
  readonly uuid?: string | undefined;
  /**
   * Display name of the image that names the disk: a path, the path of a volume, or the address of a layer. Used in messages and
   * to resolve volume names, never to find files: that is `home`.
   */
  readonly image: string | undefined;
  /**
   * Location of the image in the name space of `driver`. Relative names are resolved against it. `undefined` for an image that
   * was found inside another disk or opened as bytes: it has no folder.
   */
  readonly home: string | undefined;
  /** The driver that opens the name: that of the image or, if the image has no `home`, the first one of the program. */
  readonly driver: StorageDriver | undefined;
  /** `FoundDisk.origin` of the image, if the gate itself found the image. */
  readonly origin: unknown;
  /**
   * Canonical folders below which files may be opened: those that the caller allows and, as long as the chain consists of files,
   * the folder of the image that the caller opened.
   */
  readonly roots: readonly string[];
  /** `base`: a disk with a format, below the image. `storage`: a file with bytes of the image itself. */
  readonly use: 'base' | 'storage';
  /** Whether the disk is opened for writing: a storage of an image that is open for writing. Never a base. */
  readonly writable: boolean;
}

/** The disk that a name leads to. It is not opened yet. */
export interface FoundDisk {
  readonly disk: DiskModule;
  /** Display name: a path, the path of a volume, or the address of a layer. */
  readonly location: string;
  /** Location in the name space of the request's driver, if the disk is a file there. Default: the disk has no folder. */
  readonly home?: string | undefined;
  /** Any value. The gate gets it back in `BackingRequest.origin` with each name that this disk contains. */
  readonly origin?: unknown;
  /** Equal for two names exactly if they lead to the same bytes. Loops are detected by it. */
  readonly identity: string;
  /** The format of the disk. It replaces the one that the image records. Default: the recorded one. */
  readonly format?: string | undefined;
}

/** Refuses every name. */
export const deny: BackingGate = async ({ name, uuid = '' }) => {
  throw new DiskError(
    'ERR_BACKING_DENIED',
    `the image names ${quote(name ?? uuid)}, and nothing that it names may be opened`,
  );
};

/** A gate that asks the resolvers in order. The first answer counts. */
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
 * Resolves logical volumes. A name is taken as a volume if its path is neither a regular file nor a symbolic link and the manager
 * knows it: by its last part in the folder of the image, or by its whole path.
 */
export function volumes(manager: VolumeManager): BackingGate {
  return async ({ name, image, home, driver }) => {
    if (name === undefined) return undefined;
    // For an image without a home, files of this computer do not matter: its names do not mean them.
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

/**
 * Resolves files below the roots. The check uses the path with all symbolic links resolved, and the disk is opened by that path.
 */
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
  // A dangling link gets the same error as a forbidden path. "Not found" would reveal what exists outside the roots.
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

/** The nearest existing folder above a missing file. "Not found" is reported only below the roots. */
async function nearestFolder(driver: StorageDriver, path: string): Promise<string> {
  for (let folder = driver.parent(path); ; folder = driver.parent(folder)) {
    const canonical = await driver.canonical(folder);
    if (canonical !== undefined) return canonical;
    if (driver.parent(folder) === folder) return folder;
  }
}
