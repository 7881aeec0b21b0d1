import { type CheckFinding, DiskError } from '@diskstack/core';
import { MAX_FINDINGS } from '@diskstack/core/format';

/** The text of a finding. A function when there may be millions of findings, of which few are kept. */
type Message = string | (() => string);

/** Counts all findings and keeps the first ones. A finding in a table counts once for each reference to the table. */
export class Findings {
  corruptions = 0;
  leaks = 0;
  errors = 0;
  /** Corruptions that a repair of the tables fixes or drops. */
  repairable = 0;
  /** Corruptions of a snapshot's L1 table. A repair leaves these snapshots as they are. */
  ofSnapshots = 0;
  /** Structures that could not be read. Clusters that seem leaked may belong to them. */
  unread = 0;
  /** Clusters without references while there are such structures. They must not be freed as leaks. */
  unattributed = 0;
  readonly kept: CheckFinding[] = [];

  corruption(message: Message, offset?: number, times = 1): void {
    this.corruptions += times;
    this.#keep('corruption', message, offset);
  }

  /** A corruption of a single table entry, which can be repaired alone. */
  repairableCorruption(message: Message, offset?: number, times = 1): void {
    this.repairable += times;
    this.corruption(message, offset, times);
  }

  /** A cluster with a higher refcount than references. A leak only when every structure could be read. */
  leak(message: Message, offset?: number): void {
    if (this.unread > 0) {
      this.unattributed++;
      return;
    }
    this.leaks++;
    this.#keep('leak', message, offset);
  }

  error(message: Message, offset?: number, times = 1): void {
    this.errors += times;
    this.#keep('error', message, offset);
  }

  /**
   * Records a structure that could not be read: a corruption when the image is wrong, otherwise an error. Aborts, and
   * exceptions other than `DiskError`, are rethrown.
   */
  failure(what: string, error: unknown): void {
    if (!(error instanceof DiskError) || error.code === 'ERR_ABORTED') throw error;
    const message = `${what}: ${error.reason}`;
    if (error.code === 'ERR_CORRUPT' || error.code === 'ERR_TRUNCATED')
      this.corruption(message, error.offset);
    else this.error(message, error.offset);
  }

  #keep(kind: CheckFinding['kind'], message: Message, offset: number | undefined): void {
    if (this.kept.length >= MAX_FINDINGS) return;
    const text = typeof message === 'string' ? message : message();
    this.kept.push({ kind, message: text, ...(offset === undefined ? {} : { offset }) });
  }
}
