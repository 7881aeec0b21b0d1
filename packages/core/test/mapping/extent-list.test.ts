import { expect, test } from 'vitest';
import { ExtentList, NOWHERE } from '../../src/mapping/extent-list.ts';

type Step = (list: ExtentList) => void;

function rows(list: ExtentList): unknown[][] {
  return Array.from({ length: list.count }, (_, index) => [
    list.kind(index),
    list.length(index),
    list.at(index),
  ]);
}

test.for<[string, Step[], unknown[][]]>([
  ['data that goes on', [(l) => l.data(10, 100), (l) => l.data(5, 110)], [['data', 15, 100]]],
  [
    'data with a gap downstream',
    [(l) => l.data(10, 100), (l) => l.data(5, 111)],
    [
      ['data', 10, 100],
      ['data', 5, 111],
    ],
  ],
  [
    'data that goes back',
    [(l) => l.data(10, 100), (l) => l.data(10, 90)],
    [
      ['data', 10, 100],
      ['data', 10, 90],
    ],
  ],
  ['zeroes', [(l) => l.zero(10), (l) => l.zero(20)], [['zero', 30, NOWHERE]]],
  ['reserved zeroes that go on', [(l) => l.zero(10, 0), (l) => l.zero(20, 10)], [['zero', 30, 0]]],
  [
    'zeroes, some of them reserved',
    [(l) => l.zero(10), (l) => l.zero(10, 50), (l) => l.zero(10)],
    [
      ['zero', 10, NOWHERE],
      ['zero', 10, 50],
      ['zero', 10, NOWHERE],
    ],
  ],
  ['base', [(l) => l.base(10), (l) => l.base(20)], [['base', 30, NOWHERE]]],
  [
    'unplaced bytes that go on, then those of another source, then data',
    [
      (l) => l.unplaced(10, 0, 1),
      (l) => l.unplaced(5, 10, 1),
      (l) => l.unplaced(5, 15, 2),
      (l) => l.data(5, 20, 2),
    ],
    [
      ['unplaced', 15, 0],
      ['unplaced', 5, 15],
      ['data', 5, 20],
    ],
  ],
  ['reserved base that goes on', [(l) => l.base(10, 7), (l) => l.base(20, 17)], [['base', 30, 7]]],
  [
    'kinds at neighbouring places',
    [(l) => l.data(10, 100), (l) => l.zero(10, 110), (l) => l.base(10, 120), (l) => l.data(10, 130)],
    [
      ['data', 10, 100],
      ['zero', 10, 110],
      ['base', 10, 120],
      ['data', 10, 130],
    ],
  ],
  [
    'compressed units, never merged',
    [
      (l) => l.compressed(10, 100, 10, 0, 10),
      (l) => l.compressed(10, 110, 10, 0, 10),
      (l) => l.data(10, 120),
    ],
    [
      ['compressed', 10, 100],
      ['compressed', 10, 110],
      ['data', 10, 120],
    ],
  ],
  [
    'places past 32 bits',
    [(l) => l.data(2 ** 40, 2 ** 41), (l) => l.data(1, 2 ** 41 + 2 ** 40)],
    [['data', 2 ** 40 + 1, 2 ** 41]],
  ],
])('%s', ([, steps, expected]) => {
  const list = new ExtentList();
  for (const step of steps) step(list);
  expect(rows(list)).toEqual(expected);
  expect(list.covered).toBe(expected.reduce((sum, [, length]) => sum + Number(length), 0));
});

test('keeps the fields of a compressed unit', () => {
  const list = new ExtentList();
  list.zero(3);
  list.compressed(100, 4096, 777, 28, 512);
  expect([list.stored(1), list.skip(1), list.unit(1)]).toEqual([777, 28, 512]);
});

test('is full when the next extent may not fit, and merging takes no room', () => {
  const list = new ExtentList();
  let held = 0;
  while (!list.full && held < 1000) {
    list.data(1, held * 10);
    held++;
  }
  expect(held).toBe(512);
  list.data(1, (held - 1) * 10 + 1);
  expect(list.count).toBe(512);
  expect(list.length(511)).toBe(2);
});

test('is empty after clear, and merges with nothing from before', () => {
  const list = new ExtentList();
  list.data(10, 100);
  list.clear();
  expect([list.count, list.covered, list.full]).toEqual([0, 0, false]);
  list.data(10, 110);
  expect(rows(list)).toEqual([['data', 10, 110]]);
});
