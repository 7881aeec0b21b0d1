import type { DiskModule } from '../contracts/disk-module.ts';
import { DiskError } from '../contracts/errors.ts';
import type { StorageDriver } from '../contracts/storage-driver.ts';
import type { VolumeManager } from '../contracts/volume-manager.ts';
import { basename, dirname, isWithin, joinPath, resolvePath } from '../paths.ts';
import { quote } from '../text.ts';

/**
 * The gate: what may be opened because an image names it. A guest can write any name into a disk that it controls, so
 * each name passes a chain of resolvers, the first answer counts, and where none answers the name is refused.
 */
export type BackingGate = (request: BackingRequest) => Promise<FoundDisk | undefined>;

export interface BackingRequest {
  /** As the image has it, without a scheme. UTF-8, no NUL. */
  readonly name: string;
  /** The image that names it: its path, where it has one. */
  readonly image: string | undefined;
  /** The driver of the scheme that the name has; without one, of the disk that the caller opened. */
  readonly driver: StorageDriver | undefined;
  /** Canonical folders below which files may be opened: chosen by the caller's open, for the whole chain. */
  readonly roots: readonly string[];
  /** The disk is to be written: the data file of an image that is. Never a base. */
  readonly writable: boolean;
}

/** What a name leads to: not opened yet. */
export interface FoundDisk {
  readonly disk: DiskModule;
  /** Its path, for the names that it may hold itself, and for people. */
  readonly location: string;
  /** Equal for two names exactly when they lead to the same bytes: how loops are seen. */
  readonly identity: string;
  /** The format of the disk, in place of the one that the image records for it. */
  readonly format?: string | undefined;
}

/** Refuses every name. */
export const deny: BackingGate = async ({ name }) => {
  throw new DiskError(
    'ERR_BACKING_DENIED',
    `the image names ${quote(name)}, and nothing that it names may be opened`,
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
  return async ({ name, image, driver }) => {
    const folder = image === undefined ? '/' : dirname(image);
    const kind = await driver?.kind(joinPath(folder, name));
    if (kind === 'file' || kind === 'symlink') return undefined;
    const volume =
      (await manager.find(resolvePath(folder, basename(name)))) ??
      (await manager.find(resolvePath(folder, name)));
    if (volume === undefined) return undefined;
    return { disk: volume.disk, location: volume.path, identity: `volume ${volume.path}` };
  };
}

/** Files below the roots, judged after symbolic links are resolved, and opened by the path that was judged. */
export const filesBelowRoots: BackingGate = async ({ name, image, driver, roots, writable }) => {
  if (driver === undefined) return undefined;
  if (image === undefined && !name.startsWith('/')) {
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}, and has no folder of its own to look in: it was not opened by a path`,
    );
  }
  const path = joinPath(dirname(image ?? '/'), name);
  const canonical = await driver.canonical(path);
  const judged = canonical ?? (await nearestFolder(driver, path));
  // A link that leads nowhere is not said to: whether something is there would tell of places outside.
  const isDangling = canonical === undefined && (await driver.kind(path)) === 'symlink';
  if (isDangling || !roots.some((root) => isWithin(judged, root))) {
    const allowed = roots.length === 0 ? 'no folder' : roots.map(quote).join(', ');
    throw new DiskError(
      'ERR_BACKING_DENIED',
      `the image names ${quote(name)}, outside of what may be opened (${allowed}); allowBacking can name more folders`,
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
    identity: await driver.identity(canonical),
  };
};

/** Where nothing stands, the folder that would hold it: "not found" is said only of places that could be looked into. */
async function nearestFolder(driver: StorageDriver, path: string): Promise<string> {
  let folder = dirname(path);
  while (folder !== '/' && folder !== '.') {
    const canonical = await driver.canonical(folder);
    if (canonical !== undefined) return canonical;
    folder = dirname(folder);
  }
  return (await driver.canonical(folder)) ?? '/';
}
