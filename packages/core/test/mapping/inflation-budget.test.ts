import { afterEach, describe, expect, test, vi } from 'vitest';
import { DEFAULT_LIMITS } from '../../src/contracts/services.ts';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { InflationBudget } from '../../src/mapping/inflation-budget.ts';
import { MappedDisk } from '../../src/mapping/mapped-disk.ts';
import { diskErrorOf } from '../../src/testing/index.ts';

const WINDOW = 1000;

/** A budget of 100 bytes in a window of a second, and its clock. */
async function budgetOf(limits: Partial<typeof DEFAULT_LIMITS> = {}, sizes: readonly number[] = [50]) {
  const clock = { now: 5_000_000, calls: 0 };
  const sources = sizes.map((size) => new MemoryDisk(new Uint8Array(size)));
  for (const source of sources) await source.init();
  const own = { ...DEFAULT_LIMITS, maxInflatedBytes: 100, inflationWindow: WINDOW, ...limits };
  const budget = new InflationBudget(sources, own, () => {
    clock.calls++;
    return clock.now;
  });
  return { budget, clock, sources };
}

const refused = (name: string) =>
  expect.objectContaining({ code: 'ERR_LIMIT', hint: { option: 'limits', name } });

test('what exceeds it within the window is refused, with both numbers; what fits is still taken', async () => {
  const { budget, clock } = await budgetOf();
  budget.spend(60);
  clock.now += WINDOW - 1;
  const error = await diskErrorOf(() => budget.spend(41));
  expect(error).toMatchObject({ code: 'ERR_LIMIT', hint: { option: 'limits', name: 'maxInflatedBytes' } });
  expect(error.reason).toBe('101 bytes decompressed; maxInflatedBytes allows 100 in 1000 ms');
  budget.spend(40);
  expect(() => budget.spend(1)).toThrow(refused('maxInflatedBytes'));
});

test('the count begins again when the window is over, as often as that is', async () => {
  const { budget, clock } = await budgetOf();
  for (let window = 0; window < 1000; window++) {
    budget.spend(100);
    expect(() => budget.spend(1)).toThrow(refused('maxInflatedBytes'));
    clock.now += WINDOW;
  }
});

test('one piece that is larger than the budget is refused in every window', async () => {
  const { budget, clock } = await budgetOf();
  for (let window = 0; window < 3; window++) {
    expect(() => budget.spend(101)).toThrow(refused('maxInflatedBytes'));
    clock.now += 10 * WINDOW;
  }
});

test('an endless window is the life of the disk', async () => {
  const { budget, clock } = await budgetOf({ inflationWindow: Number.POSITIVE_INFINITY });
  budget.spend(100);
  clock.now += 1e12;
  const error = await diskErrorOf(() => budget.spend(1));
  expect(error.reason).toBe('101 bytes decompressed; maxInflatedBytes allows 100');
});

test('the ratio is of all files that the disk is stored in, as they grow', async () => {
  const limits = { maxInflatedBytes: Number.POSITIVE_INFINITY, maxInflationRatio: 2 };
  const { budget, sources } = await budgetOf(limits, [10, 20]);
  budget.spend(60);
  expect(() => budget.spend(1)).toThrow(refused('maxInflationRatio'));
  expect(() => budget.spend(1)).toThrow(
    '61 bytes decompressed; maxInflationRatio allows 60 for the 30 bytes',
  );
  await sources[0]?.resize?.(40);
  budget.spend(60);
  expect(() => budget.spend(1)).toThrow(refused('maxInflationRatio'));
});

describe('the clock', () => {
  test('is read when the count exceeds the budget, and not for each cluster', async () => {
    const { budget, clock } = await budgetOf({ maxInflatedBytes: 1_000_000 });
    for (let bytes = 0; bytes < 1_000_000; bytes++) budget.spend(1);
    expect(clock.calls).toBe(1);
    clock.now += WINDOW;
    budget.spend(1);
    expect(clock.calls).toBe(2);
  });

  test('is read once where nothing is limited', async () => {
    const { budget, clock } = await budgetOf({ maxInflatedBytes: Number.POSITIVE_INFINITY });
    for (let reads = 0; reads < 1000; reads++) budget.spend(2 ** 40);
    expect(clock.calls).toBe(1);
  });
});

describe('a disk', () => {
  afterEach(() => vi.restoreAllMocks());

  /** Two clusters that share one stream, by two codecs: one budget for both. */
  const disk = () =>
    new MappedDisk({
      type: 'TOY',
      format: 'toy',
      downstream: new MemoryDisk(new Uint8Array(16)),
      location: '/toy.img',
      mountMode: 'r',
      limits: { ...DEFAULT_LIMITS, maxInflatedBytes: 4096, inflationWindow: WINDOW },
      load: async () => ({
        size: 8192,
        info: { format: 'toy', virtualSize: 8192 },
        codecs: [(_, into) => void into.fill(1), (_, into) => void into.fill(2)],
        translate(offset, length, extents) {
          const index = offset < 4096 ? 0 : 1;
          const inside = offset % 4096;
          extents.compressed(Math.min(length, 4096 - inside), 0, 16, inside, 4096, 0, index);
          return undefined;
        },
      }),
    });

  test('reads one cluster for ever, a window apart, and is refused within one', async () => {
    const clock = vi.spyOn(performance, 'now').mockReturnValue(1000);
    const toy = disk();
    await toy.init();
    for (let now = 1000; now < 100_000; now += WINDOW) {
      clock.mockReturnValue(now);
      expect((await toy.read(0, 4096))[9]).toBe(1);
      const error = await diskErrorOf(() => toy.read(4096, 4096));
      expect(error).toMatchObject({ code: 'ERR_LIMIT', format: 'toy', layer: '/toy.img' });
    }
  });
});
