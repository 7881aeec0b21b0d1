import { expect, test } from 'vitest';
import { sortedOrder } from '../../src/targets/sorted-order.ts';

/** Numbers that repeat, in no order. */
function numbers(count: number, kinds: number): Float64Array {
  let state = 12_345;
  return Float64Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state % kinds;
  });
}

test.each([0, 1, 2, 8191, 8192, 8193, 16_384, 16_385, 24_576, 50_000, 131_073])(
  '%i numbers: rising, and equal ones in the order in which they came',
  async (count) => {
    for (const kinds of [3, 1000, 1_000_000]) {
      const given = numbers(count, kinds);
      const expected = Array.from(given.keys()).sort((a, b) => (given[a] ?? 0) - (given[b] ?? 0) || a - b);
      expect(Array.from(await sortedOrder(given))).toEqual(expected);
    }
  },
);

test('the event loop runs while a million numbers are sorted', async () => {
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  await sortedOrder(numbers(1_000_000, 1_000_000));
  clearInterval(timer);
  expect(turns).toBeGreaterThan(1);
});
