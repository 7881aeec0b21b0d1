import { type CheckFinding, DiskError, MAX_FINDINGS } from '@diskstack/core';

/** The sentence of a finding; a function where there may be millions, of which few are kept. */
type Message = string | (() => string);

/** Counts all findings and keeps the first ones. What is found in a table counts as often as the table is named. */
export class Findings {
  corruptions = 0;
  leaks = 0;
  errors = 0;
  readonly kept: CheckFinding[] = [];

  corruption(message: Message, offset?: number, times = 1): void {
    this.corruptions += times;
    this.#keep('corruption', message, offset);
  }

  leak(message: Message, offset?: number): void {
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
