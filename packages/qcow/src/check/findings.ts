import { type CheckFinding, MAX_FINDINGS } from '@diskstack/core';

/** Counts all findings and keeps the first ones. */
export class Findings {
  corruptions = 0;
  leaks = 0;
  errors = 0;
  readonly kept: CheckFinding[] = [];

  corruption(message: string, offset?: number): void {
    this.corruptions++;
    this.#keep('corruption', message, offset);
  }

  leak(message: string, offset?: number): void {
    this.leaks++;
    this.#keep('leak', message, offset);
  }

  error(message: string, offset?: number): void {
    this.errors++;
    this.#keep('error', message, offset);
  }

  #keep(kind: CheckFinding['kind'], message: string, offset: number | undefined): void {
    if (this.kept.length >= MAX_FINDINGS) return;
    this.kept.push(offset === undefined ? { kind, message } : { kind, message, offset });
  }
}
