/** POSIX paths as text, without access to a file system. Device names of volumes are such paths on every platform. */

/** Everything before the last slash: `'.'` for a bare name, `'/'` at the root. */
export function dirname(path: string): string {
  const slash = path.lastIndexOf('/');
  if (slash < 0) return '.';
  return slash === 0 ? '/' : path.slice(0, slash);
}

export function basename(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

/** `name` relative to `folder`. Keeps `..`, because after a symbolic link only the file system can resolve it. */
export function joinPath(folder: string, name: string): string {
  if (name.startsWith('/')) return name;
  return folder === '/' ? `/${name}` : folder === '.' || folder === '' ? name : `${folder}/${name}`;
}

/** `name` relative to `folder`, with `.` and `..` resolved. An absolute name does not depend on `folder`. */
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
