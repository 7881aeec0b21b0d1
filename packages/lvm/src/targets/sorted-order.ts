import { breathe } from '@diskstack/core/format';

/** Numbers that are sorted in one turn of the event loop, which takes a few milliseconds. */
const RUN = 8192;

/**
 * The indexes of the numbers in ascending order of their values; equal numbers keep their order. It is a merge sort that
 * yields to the event loop: the tables of a large snapshot have millions of entries, and `sort` would block for seconds.
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
