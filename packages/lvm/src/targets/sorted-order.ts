import { breathe } from '@diskstack/core';

/** Numbers that are sorted at once, in some milliseconds. */
const RUN = 8192;

/**
 * Where the numbers are, by rising value; of equal ones the first stays first. A merge sort that hands the event loop
 * over: the tables of a large snapshot have millions of entries, and `sort` would hold it for seconds.
 */
export async function sortedOrder(numbers: Float64Array): Promise<Uint32Array> {
  const count = numbers.length;
  const at = (index: number): number => numbers[index] ?? 0;
  let order = new Uint32Array(count);
  for (let index = 0; index < count; index++) order[index] = index;
  for (let start = 0; start < count; start += RUN) {
    order.subarray(start, start + RUN).sort((a, b) => at(a) - at(b) || a - b);
    await breathe();
  }
  let merged = new Uint32Array(count);
  for (let run = RUN; run < count; run *= 2) {
    let left = 0;
    let right = 0;
    for (let to = 0; to < count; to++) {
      if (to % (2 * run) === 0) [left, right] = [to, to + run];
      if (to % RUN === 0) await breathe();
      const leftEnd = to - (to % (2 * run)) + run;
      const rightEnd = Math.min(leftEnd + run, count);
      const takesLeft =
        right >= rightEnd ||
        (left < Math.min(leftEnd, count) && at(order[left] ?? 0) <= at(order[right] ?? 0));
      merged[to] = order[takesLeft ? left++ : right++] ?? 0;
    }
    [order, merged] = [merged, order];
  }
  return order;
}
