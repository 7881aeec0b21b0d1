import { expect, test } from 'vitest';
import { CallPace } from '../../../src/node/file/call-pace.ts';

function after(calls: readonly number[]): CallPace {
  const pace = new CallPace('auto');
  for (const milliseconds of calls) pace.took(milliseconds);
  return pace;
}

const quick = (count: number): readonly number[] => new Array<number>(count).fill(0.02);

test('one or two slow calls do not make a slow disk', () => {
  expect(after([50, 50]).mayBlock).toBe(true);
});

test('a disk that stays slow is left to the pool', () => {
  expect(after([50, 50, 50]).mayBlock).toBe(false);
});

test('a disk that becomes fast again may block after a while', () => {
  expect(after([50, 50, 50, ...quick(99)]).mayBlock).toBe(false);
  expect(after([50, 50, 50, ...quick(100)]).mayBlock).toBe(true);
});

test('a slow call in between restarts the count', () => {
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
