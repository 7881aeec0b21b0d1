import { DiskError, type DiskErrorCode, quote, type UnreadableRange } from '@diskstack/core';
import { say } from '../terminal/stderr.ts';

/** A range of the output, and the input that it comes from. */
interface Found extends UnreadableRange {
  readonly input: string;
}

/** Pieces are read side by side: what is this far behind the last one gets no more neighbours. */
const SETTLED = 64 * 1024 * 1024;
/** Ranges that are held before the first ones are reported. */
const MOST_HELD = 4096;

/** Reports the ranges that `--salvage` could not read: neighbours as one, in order. */
export class UnreadableRanges {
  readonly #isQuiet: boolean;
  /** In order, without neighbours. */
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

  /** Makes one of two neighbours: the range at `index` and the one that follows it. */
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

  /** Reports what is held. */
  finish(): void {
    for (const range of this.#held) this.#report(range);
    this.#held = [];
  }

  /** The output is complete, and not all of it is content. */
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
