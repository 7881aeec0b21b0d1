import type { LocationNames } from '../contracts/storage-driver.ts';
import { DiskError } from '../errors/disk-error.ts';
import { quote } from '../errors/text.ts';
import { basename, dirname, joinPath, resolvePath } from './paths.ts';

/** A scheme at the start of a location or a name: `'nbd'` of `nbd://host/export`. */
const SCHEME = /^([a-z][a-z0-9+.-]*):/i;
/** `scheme://authority` at the start of a URL, as in `https://host/dir/disk.qcow2`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

export function schemeOf(text: string): string | undefined {
  return SCHEME.exec(text)?.[1];
}

/** Whether a location is a URL with an authority. What follows a `#` in it is then not sent to the server. */
export function isUrl(location: string): boolean {
  return ORIGIN.test(location);
}

/** The names of a tree of folders with `/` between its parts: `/dir/disk`, and `memory:/dir/disk` for the scheme `memory`. */
export function posixNames(...schemes: readonly string[]): LocationNames {
  const split = (location: string): { readonly prefix: string; readonly path: string } => {
    const scheme = schemes.find((one) => location.startsWith(`${one}:`));
    const prefix = scheme === undefined ? '' : `${scheme}:`;
    return { prefix, path: location.slice(prefix.length) };
  };
  return {
    schemes,
    style: 'posix',
    resolve(base, name) {
      const { path } = split(name);
      if (path.startsWith('/')) return name;
      if (base === undefined) return undefined;
      const { prefix, path: image } = split(base);
      return prefix + joinPath(dirname(image), path);
    },
    parent(location) {
      const { prefix, path } = split(location);
      return prefix + dirname(path);
    },
    fileName: (location) => basename(split(location).path),
  };
}

/**
 * The names of URLs with an authority. A relative name becomes a path with all special characters escaped. `.` and `..` do not
 * lead above the root of the server.
 */
export function urlNames(...schemes: readonly string[]): LocationNames {
  const split = (location: string): { readonly origin: string; readonly path: string } => {
    const origin = ORIGIN.exec(location)?.[0] ?? '';
    const [path = ''] = location.slice(origin.length).split(/[?#]/, 1);
    return { origin, path: path.startsWith('/') ? path : `/${path}` };
  };
  return {
    schemes,
    style: 'url',
    resolve(base, name) {
      if (isUrl(name)) return hrefOf(name);
      if (base === undefined) return undefined;
      const { origin, path } = split(base);
      return origin + resolvePath(dirname(path), name.split('/').map(encodeURIComponent).join('/'));
    },
    parent(location) {
      const { origin, path } = split(location);
      return origin + dirname(path);
    },
    fileName: (location) => unescapeUrl(basename(split(location).path)),
  };
}

/** A part of a URL with its `%` escapes decoded; `undefined` if they are not valid UTF-8. */
export function unescapeUrl(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch {
    return undefined;
  }
}

/** The normalised URL, without `.` and `..`. */
function hrefOf(name: string): string {
  try {
    return new URL(name).href;
  } catch {
    throw new DiskError('ERR_BACKING_DENIED', `the image names ${quote(name)}, which is not a valid URL`);
  }
}

/** Whether `location` is `folder` or is below it. Both are canonical locations. */
export function isWithin({ parent }: LocationNames, location: string, folder: string): boolean {
  for (let at = location; ; ) {
    if (at === folder) return true;
    const above = parent(at);
    if (above === at) return false;
    at = above;
  }
}
