import { expect, test } from 'vitest';
import { countLocks } from '../../../src/node/locks/proc-locks.ts';

const find = (text: string) =>
  [...countLocks(text, 77n, (device) => device === 'fe:00')].sort(([a], [b]) => a - b);

test.for<readonly [string, string, readonly (readonly [number, number])[]]>([
  [
    'a virtual machine that writes',
    '100 101|103 103|201 201|203 203',
    [
      [100, 1],
      [101, 1],
      [103, 1],
      [201, 1],
      [203, 1],
    ],
  ],
  [
    'two readers of a format',
    '100 100|201 201|203 203|100 100|201 201|203 203',
    [
      [100, 2],
      [201, 2],
      [203, 2],
    ],
  ],
  ['a reader of a raw disk, which shares everything', '100 100', [[100, 1]]],
  ['a program that forbids reading', '200 200', [[200, 1]]],
  [
    'a program that locks the whole file',
    '0 EOF',
    [
      [100, 1],
      [101, 1],
      [103, 1],
      [200, 1],
      [201, 1],
      [203, 1],
    ],
  ],
  ['locks of other bytes', '0 99|102 102|104 199|202 202|204 EOF', []],
])('%s: %s', ([, ranges, want]) => {
  const text = ranges
    .split('|')
    .map((range, index) => `${index + 1}: OFDLCK ADVISORY  READ  -1 fe:00:77 ${range}\n`)
    .join('');
  expect(find(text)).toEqual(want);
});

test('locks with the numbers of a process count as well, but for those of this one', () => {
  expect(find('1: POSIX  ADVISORY  WRITE 4242 fe:00:77 101 101\n')).toEqual([[101, 1]]);
  expect(find(`1: POSIX  ADVISORY  WRITE ${process.pid} fe:00:77 101 101\n`)).toEqual([]);
});

test.for([
  '1: OFDLCK ADVISORY  READ  -1 fe:00:770 100 101',
  '1: OFDLCK ADVISORY  READ  -1 fe:00:177 100 101',
  '1: OFDLCK ADVISORY  READ  -1 fe:01:77 100 101',
  '1: -> OFDLCK ADVISORY  READ  -1 fe:00:77 100 101',
  '1: FLOCK  ADVISORY  WRITE 4242 fe:00:77 0 EOF',
  '1: LEASE  ACTIVE    READ  4242 fe:00:77 0 EOF',
  '1: OFDLCK ADVISORY',
  '',
])('what is not a lock on the file does not count: %j', (line) => {
  expect(find(`${line}\n`)).toEqual([]);
});
