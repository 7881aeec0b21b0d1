import { expect, test } from 'vitest';
import { CallPace } from '../../../src/node/file/call-pace.ts';

function after(calls: readonly number[]): CallPace {
  const pace = new CallPace('auto');
  for (const milliseconds of calls) pace.took(milliseconds);
  return pace;
}

const quick = (count: number): readonly number[] => new Array<number>(count).fill(0.02);

test('a hiccup or two are no slow disk', () => {
  expect(after([50, 50]).mayBlock).toBe(true);
});

test('a disk that keeps us waiting is left to the pool', () => {
  expect(after([50, 50, 50]).mayBlock).toBe(false);
});

test('what was slow and answers quickly from then on may block again, not at once', () => {
  expect(after([50, 50, 50, ...quick(99)]).mayBlock).toBe(false);
  expect(after([50, 50, 50, ...quick(100)]).mayBlock).toBe(true);
});

test('a slow call in between begins the count anew', () => {
  expect(after([50, 50, 50, ...quick(80), 50, ...quick(99)]).mayBlock).toBe(false);
});

test.for([
  ['sync', true],
  ['pool', false],
] as const)('%s is as the caller says, whatever calls take', ([io, blocks]) => {
  const pace = new CallPace(io);
  for (const milliseconds of [50, 50, 50, ...quick(1000)]) {
    expect(pace.mayBlock).toBe(blocks);
    pace.took(milliseconds);
  }
});
