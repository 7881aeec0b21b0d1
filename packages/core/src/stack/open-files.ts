import type { DiskModule } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { Limits } from '../contracts/services.ts';

/** Counts the further files that the images of one chain have open (extents, data files). Refuses more than `maxFiles`. */
export class OpenFiles {
  readonly #limits: Pick<Limits, 'maxFiles'>;
  #count = 0;

  constructor(limits: Pick<Limits, 'maxFiles'>) {
    this.#limits = limits;
  }

  /** Opens one more file, which counts until it is closed. `ERR_LIMIT` if there are too many. */
  async open(open: () => Promise<DiskModule>): Promise<DiskModule> {
    if (this.#count >= this.#limits.maxFiles)
      throw limitError(
        'maxFiles',
        this.#limits,
        `the images of one chain have ${this.#count} further files open`,
      );
    this.#count++; // before the first await: files may be opened concurrently
    try {
      const disk = await open();
      this.#untilClosed(disk);
      return disk;
    } catch (error) {
      this.#count--;
      throw error;
    }
  }

  /**
   * Replaces only `close` of the disk, because a filter around it would cost a call per read. If the disk is frozen, it counts as
   * long as the chain exists.
   */
  #untilClosed(disk: DiskModule): void {
    const close = disk.close.bind(disk);
    let isOpen = true;
    const closeOnce = (): Promise<void> => {
      if (isOpen) this.#count--;
      isOpen = false;
      return close();
    };
    Reflect.set(disk, 'close', closeOnce);
    Reflect.set(disk, Symbol.asyncDispose, closeOnce);
  }
}
