import type { DiskModule } from '../contracts/disk-module.ts';
import { limitError } from '../contracts/limit-error.ts';
import type { Limits } from '../contracts/services.ts';

/** Counts the files that the images of one chain have open beside themselves, and refuses more than `maxFiles`. */
export class OpenFiles {
  readonly #limits: Pick<Limits, 'maxFiles'>;
  #count = 0;

  constructor(limits: Pick<Limits, 'maxFiles'>) {
    this.#limits = limits;
  }

  /** Opens one more file. It counts until it is closed. `ERR_LIMIT` when there are too many. */
  async open(open: () => Promise<DiskModule>): Promise<DiskModule> {
    if (this.#count >= this.#limits.maxFiles)
      throw limitError(
        'maxFiles',
        this.#limits,
        `the images of one chain have ${this.#count} files open beside them`,
      );
    this.#count++; // before the first await: files may be opened side by side
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
   * A filter around the disk would cost each read a call: only its `close` is replaced. The file of a disk that cannot be
   * changed counts for the life of the chain.
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
