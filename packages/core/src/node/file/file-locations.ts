import type { PlatformPath } from 'node:path';
import type { LocationNames } from '../../contracts/storage-driver.ts';
import { DiskError } from '../../errors/disk-error.ts';
import { quote } from '../../errors/text.ts';

const SCHEME = 'file:';

/** The path of a location: `/a/b` for `file:/a/b`. Plain paths are returned unchanged. */
export function plainPath(location: string): string {
  return location.startsWith(SCHEME) ? location.slice(SCHEME.length) : location;
}

/**
 * The rules for file names of a platform: `path.posix` or `path.win32`. On Windows a path begins with a drive (`C:\`), a share
 * (`\\host\share\`) or `\\?\`, and both slashes are separators.
 */
export function fileLocations(
  path: Pick<PlatformPath, 'isAbsolute' | 'basename' | 'dirname' | 'join' | 'sep'>,
): LocationNames {
  const isWindows = path.sep === '\\';
  return {
    schemes: ['file'],
    style: isWindows ? 'win32' : 'posix',
    isPath: (text) => isWindows && /^[a-z]:/i.test(text),
    resolve(base, name) {
      const file = plainPath(name);
      const drive = isWindows ? /^[a-z]:/i.exec(file)?.[0] : undefined;
      if (drive !== undefined && !path.isAbsolute(file)) {
        throw new DiskError(
          'ERR_BACKING_DENIED',
          `the image names ${quote(name)}, which is relative to the current folder of the drive ${drive}`,
        );
      }
      if (path.isAbsolute(file) && (!isWindows || drive !== undefined || isShare(file))) return file;
      if (base === undefined) return undefined;
      const folder = path.dirname(plainPath(base));
      if (path.isAbsolute(file)) return path.join(rootOf(folder, path), file); // `\dir\file` is on the drive of the image
      return joinTo(folder, file, path);
    },
    parent: (location) => path.dirname(plainPath(location)),
    fileName: (location) => path.basename(plainPath(location)),
  };
}

/** Whether a path begins with `\\host\share\` or `\\?\`. */
function isShare(file: string): boolean {
  return /^[\\/]{2}/.test(file);
}

function rootOf(folder: string, { dirname }: Pick<PlatformPath, 'dirname'>): string {
  for (let at = folder; ; at = dirname(at)) if (dirname(at) === at) return at;
}

/** Joins two paths. Keeps `..`, because after a symbolic link only the file system can resolve it. */
function joinTo(folder: string, file: string, { sep }: Pick<PlatformPath, 'sep'>): string {
  if (folder === '.' || folder === '') return file;
  return folder.endsWith(sep) ? folder + file : folder + sep + file;
}
