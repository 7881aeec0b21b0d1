import type { DiskModule } from '../contracts/disk-module.ts';
import type { NameStyle } from '../contracts/named-disk.ts';
import type { PathKind, StorageDriver } from '../contracts/storage-driver.ts';

/** A recorded call of a storage driver. */
export interface DriverCall {
  readonly call: 'open' | 'kind' | 'canonical' | 'identity' | 'list';
  readonly path: string;
  /** Only for `open`. */
  readonly writable?: boolean;
}

/** A storage driver that records its calls and the disks that are still open. */
export interface SpyDriver extends StorageDriver {
  /** All calls so far, in order. */
  readonly calls: readonly DriverCall[];
  /** Number of disks that `open` has made so far. */
  readonly opened: number;
  /** Number of those disks that have been closed. A second `close` of a disk does not count. */
  readonly closed: number;
  /** `opened` minus `closed`. More than 0 when everything should be closed means a leak. */
  readonly openDisks: number;
  /** Paths of the open disks, as they were passed to `open`. */
  readonly openPaths: readonly string[];
}

/** Wraps a driver. The disks are those of the driver, with `close` replaced by one that counts. */
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
