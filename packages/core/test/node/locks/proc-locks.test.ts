import { expect, test } from 'vitest';
import { locksIn } from '../../../src/node/locks/proc-locks.ts';

const free = { isWritten: false, refusesWriters: false, refusesReaders: false };
const find = (text: string) => locksIn(text, 77n, (device) => device === 'fe:00');

test.for<readonly [string, string, Partial<typeof free>]>([
  [
    'a virtual machine that writes',
    '100 101|103 103|201 201|203 203',
    { isWritten: true, refusesWriters: true },
  ],
  ['a reader of a format', '100 100|201 201|203 203', { refusesWriters: true }],
  ['a reader of a raw disk, which shares everything', '100 100', {}],
  ['a writer that shares writing', '100 101', { isWritten: true }],
  ['somebody who lets nobody else resize', '203 203', { refusesWriters: true }],
  ['somebody who lets nobody else read', '200 200', { refusesReaders: true }],
  [
    'a program that locks the whole file',
    '0 EOF',
    { isWritten: true, refusesWriters: true, refusesReaders: true },
  ],
  ['locks of other bytes', '0 99|102 102|104 199|202 202|204 EOF', {}],
])('%s: %s', ([, ranges, want]) => {
  const text = ranges
    .split('|')
    .map((range, index) => `${index + 1}: OFDLCK ADVISORY  READ  -1 fe:00:77 ${range}\n`)
    .join('');
  expect(find(text)).toEqual({ ...free, ...want });
});

test('locks with the numbers of a process count as well, but for those of this one', () => {
  expect(find('1: POSIX  ADVISORY  WRITE 4242 fe:00:77 101 101\n').isWritten).toBe(true);
  expect(find(`1: POSIX  ADVISORY  WRITE ${process.pid} fe:00:77 101 101\n`)).toEqual(free);
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
  expect(find(`${line}\n`)).toEqual(free);
});
