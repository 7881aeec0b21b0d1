import type { DiskModule } from '../contracts/disk-module.ts';
import type { Limits } from '../contracts/services.ts';
import { DiskError } from '../errors/disk-error.ts';

/** The limits on what one disk decompresses. */
type InflationLimits = Pick<Limits, 'maxInflatedBytes' | 'maxInflationRatio' | 'inflationWindow'>;

/**
 * Bounds the bytes that one disk decompresses, because a small image can claim to expand without end. The count restarts with the
 * first cluster that exceeds the budget after the end of the window. A disk can thus spend at most twice the budget within one
 * window. The clock is read only when the count exceeds the budget.
 */
export class InflationBudget {
  readonly #sources: readonly DiskModule[];
  readonly #limits: InflationLimits;
  readonly #now: () => number;
  /** Start of the window, in milliseconds of the clock. */
  #start = Number.NEGATIVE_INFINITY;
  /** Bytes decompressed since the start of the window. */
  #spent = 0;
  /** Bytes that may be decompressed in the window. -1 before the first cluster. */
  #allowed = -1;

  /**
   * @param sources the disks that compressed clusters are stored on
   * @param now milliseconds of a monotonic clock
   */
  constructor(
    sources: readonly DiskModule[],
    limits: InflationLimits,
    now: () => number = () => performance.now(),
  ) {
    this.#sources = sources;
    this.#limits = limits;
    this.#now = now;
  }

  /** Spends `bytes` of the budget, before decompression. `ERR_LIMIT` if the budget is too small; nothing is spent then. */
  spend(bytes: number): void {
    if (this.#spent + bytes > this.#allowed) this.#renew(bytes);
    this.#spent += bytes;
  }

  #renew(bytes: number): void {
    const { maxInflatedBytes, maxInflationRatio, inflationWindow } = this.#limits;
    const now = this.#now();
    if (this.#allowed < 0 || now - this.#start >= inflationWindow) {
      this.#start = now;
      this.#spent = 0;
    }
    const stored = this.#sources.reduce((sum, disk) => sum + disk.size(), 0);
    const byRatio = maxInflationRatio * Math.max(1, stored);
    this.#allowed = Math.min(maxInflatedBytes, byRatio);
    const asked = this.#spent + bytes;
    if (asked <= this.#allowed) return;
    const name = maxInflatedBytes <= byRatio ? 'maxInflatedBytes' : 'maxInflationRatio';
    const where = name === 'maxInflatedBytes' ? '' : ` for the ${stored} bytes that are stored`;
    const when = inflationWindow === Number.POSITIVE_INFINITY ? '' : ` in ${inflationWindow} ms`;
    throw new DiskError(
      'ERR_LIMIT',
      `${asked} bytes decompressed; ${name} allows ${this.#allowed}${where}${when}`,
      { hint: { option: 'limits', name } },
    );
  }
}
