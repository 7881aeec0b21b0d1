import type { DiskModule } from '../contracts/disk-module.ts';
import type { NameStyle } from '../contracts/named-disk.ts';
import type { PathKind, StorageDriver } from '../contracts/storage-driver.ts';

/** One question that a storage driver was asked. */
export interface DriverCall {
  readonly call: 'open' | 'kind' | 'canonical' | 'identity' | 'list';
  readonly path: string;
  /** Of `open` alone. */
  readonly writable?: boolean;
}

/** A storage driver that records its calls, and the disks that were not closed. */
export interface SpyDriver extends StorageDriver {
  /** Every call so far, the first one first. */
  readonly calls: readonly DriverCall[];
  /** Disks that `open` has made so far. */
  readonly opened: number;
  /** Those of them that have been closed; a second `close` of a disk does not count. */
  readonly closed: number;
  /** `opened` minus `closed`: what is left when everything should be closed is a leak. */
  readonly openDisks: number;
  /** Paths of the disks that are open, as they were given to `open`. */
  readonly openPaths: readonly string[];
}

/** Wraps a driver. The disks are its own, with `close` counted. */
export function spyDriver(driver: StorageDriver): SpyDriver {
  return new RecordingDriver(driver);
}

class RecordingDriver implements SpyDriver {
  readonly calls: DriverCall[] = [];
  opened = 0;
  readonly #driver: StorageDriver;
  readonly #open = new Map<DiskModule, string>();

  constructor(driver: StorageDriver) {
    this.#driver = driver;
  }

  get schemes(): readonly string[] {
    return this.#driver.schemes;
  }

  get style(): NameStyle | undefined {
    return this.#driver.style;
  }

  isPath(text: string): boolean {
    return this.#driver.isPath?.(text) ?? false;
  }

  resolve(base: string | undefined, name: string): string | undefined {
    return this.#driver.resolve(base, name);
  }

  parent(location: string): string {
    return this.#driver.parent(location);
  }

  fileName(location: string): string | undefined {
    return this.#driver.fileName?.(location);
  }

  get closed(): number {
    return this.opened - this.#open.size;
  }

  get openDisks(): number {
    return this.#open.size;
  }

  get openPaths(): readonly string[] {
    return [...this.#open.values()];
  }

  open(path: string, options: { readonly writable: boolean }): DiskModule {
    this.calls.push({ call: 'open', path, writable: options.writable });
    const disk = this.#driver.open(path, options);
    this.opened++;
    this.#open.set(disk, path);
    const close = disk.close.bind(disk);
    disk.close = () => {
      this.#open.delete(disk);
      return close();
    };
    disk[Symbol.asyncDispose] = () => disk.close();
    return disk;
  }

  kind(path: string): Promise<PathKind> {
    this.calls.push({ call: 'kind', path });
    return this.#driver.kind(path);
  }

  canonical(path: string): Promise<string | undefined> {
    this.calls.push({ call: 'canonical', path });
    return this.#driver.canonical(path);
  }

  get list(): StorageDriver['list'] {
    const list = this.#driver.list?.bind(this.#driver);
    return (
      list &&
      ((path, max) => {
        this.calls.push({ call: 'list', path });
        return list(path, max);
      })
    );
  }

  identity(path: string): Promise<string> {
    this.calls.push({ call: 'identity', path });
    return this.#driver.identity(path);
  }
}
