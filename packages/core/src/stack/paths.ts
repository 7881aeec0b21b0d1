/** POSIX paths, and locations with a scheme, as plain text: no file system is asked. */

/** Everything before the last slash: `'.'` for a bare name, `'/'` at the root. */
export function dirname(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `name` as seen from `folder`, as the file system would read it: `..` after a symbolic link means what it says. */
export function joinPath(folder: string, name: string): string {
  if (name.startsWith('/')) return name;
  return folder === '/' ? `/${name}` : folder === '.' || folder === '' ? name : `${folder}/${name}`;
}

/** `name` as seen from `folder`, without `.` and `..`. An absolute name stands as it is. */
export function resolvePath(folder: string, name: string): string {
  const path = joinPath(folder, name);
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.length > 0 && parts.at(-1) !== '..') parts.pop();
    else if (part !== '..' || !path.startsWith('/')) parts.push(part);
  }
  const joined = parts.join('/');
  return path.startsWith('/') ? `/${joined}` : joined || '.';
}

/** Whether `path` is `folder` or lies below it. Both are canonical. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

/** `scheme://authority` at the start of a location, as in `https://host/dir/disk.qcow2`. */
const ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;

/** Whether a location is a URL with an authority: what follows a `#` is then no part of what its server is asked for. */
export function isUrl(location: string): boolean {
  return ORIGIN.test(location);
}

/**
 * The location of a file that an image names: `name` as seen from the image. In a URL the name becomes a path: its
 * characters stand for themselves, `.` and `..` lead no further up than to the root of the server.
 */
export function resolveFrom(image: string, name: string): string {
  const origin = ORIGIN.exec(image)?.[0];
  if (origin === undefined) return joinPath(dirname(image), name);
  const [path = ''] = image.slice(origin.length).split(/[?#]/, 1);
  const folder = path.includes('/') ? dirname(path) : '/';
  return origin + resolvePath(folder, name.split('/').map(encodeURIComponent).join('/'));
}
