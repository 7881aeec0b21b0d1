/** POSIX paths as plain text: no file system is asked. Device names of volumes are such paths on every platform. */

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
