import { type CheckFinding, DiskError, MAX_FINDINGS } from '@diskstack/core';

/** The sentence of a finding; a function where there may be millions, of which few are kept. */
type Message = string | (() => string);

/** Counts all findings and keeps the first ones. What is found in a table counts as often as the table is named. */
export class Findings {
  corruptions = 0;
  leaks = 0;
  errors = 0;
  /** Corruptions among them that a repair of the tables puts right, or drops. */
  mendable = 0;
  /** Corruptions among them of one snapshot's L1 table each: a repair leaves those snapshots as they are. */
  ofSnapshots = 0;
  /** Structures that may name clusters and could not be read: what nothing names may be theirs. */
  unread = 0;
  /** Clusters that nothing names, while there are such structures: they are no leaks that may be given back. */
  unattributed = 0;
  readonly kept: CheckFinding[] = [];

  corruption(message: Message, offset?: number, times = 1): void {
    this.corruptions += times;
    this.#keep('corruption', message, offset);
  }

  /** A corruption of an entry of a table, which can be put right by itself. */
  mendableCorruption(message: Message, offset?: number, times = 1): void {
    this.mendable += times;
    this.corruption(message, offset, times);
  }

  /** A cluster with a higher refcount than references: leaked, where everything that may refer to it was read. */
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
   * A structure that could not be read, by the error that said so: corruption where the image is wrong, else an error.
   * What is no `DiskError`, or an abort, is thrown on.
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
