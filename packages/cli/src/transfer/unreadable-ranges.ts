import { DiskError, type DiskErrorCode, quote, type UnreadableRange } from '@diskstack/core';
import { say } from '../terminal/stderr.ts';

/** A range of the output, and the input that it comes from. */
interface Found extends UnreadableRange {
  readonly input: string;
}

/** Reads run in parallel. A range this far before the last one gets no more neighbours. */
const SETTLED = 64 * 1024 * 1024;
/** Most ranges that are held back for merging. */
const MOST_HELD = 4096;

/** Reports the ranges that `--salvage` could not read, in order. Neighbours are merged. */
export class UnreadableRanges {
  readonly #isQuiet: boolean;
  /** Sorted, with neighbours merged. */
  #held: Found[] = [];
  #count = 0;
  #bytes = 0;
  #firstCode: DiskErrorCode = 'ERR_IO';

  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  add(range: UnreadableRange, input: string): void {
    if (this.#count === 0 && this.#held.length === 0) this.#firstCode = range.error.code;
    const held = this.#held;
    let index = held.length;
    while (index > 0 && (held[index - 1]?.offset ?? 0) > range.offset) index--;
    held.splice(index, 0, { ...range, input });
    this.#merge(index);
    this.#merge(index - 1);
    const last = held.at(-1);
    const before = (last?.offset ?? 0) - SETTLED;
    while (held.length > MOST_HELD || (held[0] !== undefined && held[0].offset + held[0].length < before))
      this.#report(held.shift());
  }

  /** Merges the range at `index` with the next one, if they are neighbours. */
  #merge(index: number): void {
    const [range, next] = [this.#held[index], this.#held[index + 1]];
    if (range === undefined || next === undefined || range.input !== next.input) return;
    const end = range.offset + range.length;
    if (next.offset > end) return;
    const length = Math.max(end, next.offset + next.length) - range.offset;
    this.#held.splice(index, 2, { ...range, length });
  }

  #report(range: Found | undefined): void {
    if (range === undefined) return;
    const { offset, length, error, input } = range;
    this.#count++;
    this.#bytes += length;
    if (this.#isQuiet) return;
    say(
      `warning: ${quote(input)}: ${length} bytes at offset ${offset} cannot be read and are zeroes in the output: ${error.code}: ${error.message}`,
    );
  }

  /** Reports the ranges that are held back. */
  finish(): void {
    for (const range of this.#held) this.#report(range);
    this.#held = [];
  }

  /** Throws if a range could not be read: the output is complete, but not all of it is the content. */
  throwIfAny(): void {
    this.finish();
    if (this.#count === 0) return;
    const [ranges, are] = this.#count === 1 ? ['1 range', 'is'] : [`${this.#count} ranges`, 'are'];
    throw new DiskError(
      this.#firstCode,
      `the output is complete, but ${ranges} of ${this.#bytes} bytes could not be read and ${are} zeroes`,
    );
  }
}
