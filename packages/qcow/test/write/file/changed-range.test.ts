import { expect, test } from 'vitest';
import { ChangedRange } from '../../../src/write/file/changed-range.ts';

test('is the smallest range that has all changes', () => {
  const changed = new ChangedRange();
  expect(changed.isEmpty).toBe(true);
  changed.add(40, 48);
  changed.add(8, 16);
  changed.add(24, 32);
  expect({ from: changed.from, to: changed.to, isEmpty: changed.isEmpty }).toEqual({
    from: 8,
    to: 48,
    isEmpty: false,
  });
});

test('after it is cleared, the next change is all of it, before or after the old ones', () => {
  for (const [from, to] of [
    [0, 8],
    [200, 208],
  ] as const) {
    const changed = new ChangedRange();
    changed.add(96, 112);
    changed.clear();
    expect(changed.isEmpty).toBe(true);
    changed.add(from, to);
    expect([changed.from, changed.to]).toEqual([from, to]);
  }
});
