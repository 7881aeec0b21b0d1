import type { DiskModule } from '../../src/contracts/disk-module.ts';
import type { LocationNames, PathKind, StorageDriver } from '../../src/contracts/storage-driver.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { DiskError } from '../../src/errors/disk-error.ts';
import { posixNames } from '../../src/stack/location-names.ts';
import { basename, dirname, joinPath } from '../../src/stack/paths.ts';

/** The bytes at a path. The same array at two paths is one file with two hard links. */
export type Entry =
  | Uint8Array
  | { readonly symlink: string }
  | { readonly device: Uint8Array }
  | { readonly folder: true };

export interface MemoryDriverOptions {
  /** Default: `'memory'`. */
  readonly scheme?: string;
  /** Stands in for the disk that `open` would make of a path. */
  readonly wrap?: (disk: DiskModule, path: string) => DiskModule;
}

/** A file system in memory: absolute POSIX paths to bytes. The folders that the paths name are there too. */
export function memoryDriver(
  entries: Readonly<Record<string, Entry>>,
  options: MemoryDriverOptions = {},
): StorageDriver {
  return new MemoryDriver(entries, options);
}

/** As Linux: more links than these in one path are taken for a loop. */
const MAX_LINKS = 40;

class MemoryDriver implements StorageDriver {
  readonly schemes: readonly string[];
  readonly resolve: LocationNames['resolve'];
  readonly style: LocationNames['style'];
  readonly parent: LocationNames['parent'];
  readonly fileName: LocationNames['fileName'];
  readonly #entries = new Map<string, Entry>([['/', { folder: true }]]);
  readonly #wrap: (disk: DiskModule, path: string) => DiskModule;
  readonly #numbers = new Map<Entry, number>();

  constructor(entries: Readonly<Record<string, Entry>>, options: MemoryDriverOptions) {
    const { schemes, style, resolve, parent, fileName } = posixNames(options.scheme ?? 'memory');
    this.schemes = schemes;
    this.style = style;
    this.resolve = resolve;
    this.parent = parent;
    this.fileName = fileName;
    this.#wrap = options.wrap ?? ((disk) => disk);
    for (const [path, entry] of Object.entries(entries)) {
      for (let folder = dirname(path); folder !== '/'; folder = dirname(folder)) {
        this.#entries.set(folder, { folder: true });
      }
      this.#entries.set(path, entry);
    }
  }

  open(path: string, { writable }: { readonly writable: boolean }): DiskModule {
    const entry = this.#entryAt(path);
    const bytes = entry === undefined ? undefined : bytesOf(entry);
    const disk = new MemoryDisk(bytes ?? new Uint8Array(0), { writable, location: path });
    if (bytes === undefined) {
      disk.init = () => Promise.reject(new DiskError('ERR_NOT_FOUND', 'no such file', { layer: path }));
    }
    return this.#wrap(disk, path);
  }

  async kind(location: string): Promise<PathKind> {
    const path = this.#plain(location);
    const folder = this.#resolve(dirname(path));
    const last = path.slice(path.lastIndexOf('/') + 1);
    const plain = last === '' || last === '.' || last === '..';
    const place = plain ? this.#resolve(path) : folder && joinPath(folder, last);
    const entry = place === undefined ? undefined : this.#entries.get(place);
    if (entry === undefined) return 'missing';
    if (entry instanceof Uint8Array) return 'file';
    if ('symlink' in entry) return 'symlink';
    return 'device' in entry ? 'device' : 'folder';
  }

  async canonical(location: string): Promise<string | undefined> {
    return this.#resolve(this.#plain(location));
  }

  /** The path of a location with a scheme. */
  #plain(location: string): string {
    const [scheme = ''] = this.schemes;
    return location.startsWith(`${scheme}:`) ? location.slice(scheme.length + 1) : location;
  }

  async identity(path: string): Promise<string> {
    const entry = this.#entryAt(path);
    if (entry === undefined) return `${this.schemes[0]} ${path}`;
    const number = this.#numbers.get(entry) ?? this.#numbers.size;
    this.#numbers.set(entry, number);
    return `${this.schemes[0]} ${number}`;
  }

  async list(location: string, max: number): Promise<readonly string[]> {
    const folder = this.#resolve(this.#plain(location));
    const entry = folder === undefined ? undefined : this.#entries.get(folder);
    if (folder === undefined || entry === undefined || !('folder' in entry))
      throw new DiskError('ERR_NOT_FOUND', 'no such folder', { layer: location });
    const below = [...this.#entries.keys()].filter((path) => path !== '/' && dirname(path) === folder);
    if (below.length > max)
      throw new DiskError('ERR_LIMIT', `the folder has ${below.length} names, ${max} are allowed`);
    return below.map((path) => basename(path)).sort();
  }

  #entryAt(path: string): Entry | undefined {
    const place = this.#resolve(this.#plain(path));
    return place === undefined ? undefined : this.#entries.get(place);
  }

  /** As `realpath`: part by part, each link followed before the `..` behind it counts. */
  #resolve(path: string): string | undefined {
    const parts = path.split('/');
    let place = '/';
    let links = 0;
    for (let part = parts.shift(); part !== undefined; part = parts.shift()) {
      if (part === '' || part === '.') continue;
      const folder = this.#entries.get(place);
      if (folder === undefined || !('folder' in folder)) return undefined;
      if (part === '..') {
        place = dirname(place);
        continue;
      }
      const next = joinPath(place, part);
      const entry = this.#entries.get(next);
      if (entry === undefined) return undefined;
      if ('symlink' in entry) {
        if (++links > MAX_LINKS) return undefined;
        parts.unshift(...entry.symlink.split('/'));
        if (entry.symlink.startsWith('/')) place = '/';
      } else {
        place = next;
      }
    }
    return place;
  }
}

function bytesOf(entry: Entry): Uint8Array | undefined {
  if (entry instanceof Uint8Array) return entry;
  return 'device' in entry ? entry.device : undefined;
}
