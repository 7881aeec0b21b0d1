import { expect, test } from 'vitest';
import type { Binding } from '../../src/bindings/binding.ts';
import { EBADF } from '../../src/calls/errno.ts';
import { lseekHoles } from '../../src/calls/lseek.ts';

const EINVAL = 22;
const ENXIO = 6;
const EOPNOTSUPP = 95;

interface Answer {
  readonly result: bigint;
  readonly errno?: number;
}

/** A C library that knows `lseek` alone, and gives one answer for every open descriptor. */
function binding(answer: Answer, badDescriptor: Answer = { result: -1n, errno: EBADF }): Binding {
  let last = 0;
  const lseek = (fd: number): bigint => {
    const { result, errno = 0 } = fd < 0 ? badDescriptor : answer;
    last = errno;
    return result;
  };
  return {
    call: (name) => (name === 'lseek' ? (lseek as never) : undefined),
    errno: () => last,
  };
}

test.for<[string, Answer, number | undefined]>([
  ['a position', { result: 4096n }, 4096],
  ['the last position that a number holds', { result: 2n ** 53n - 1n }, Number.MAX_SAFE_INTEGER],
  ['a position that no number holds', { result: 2n ** 53n }, Number.POSITIVE_INFINITY],
  ['ENXIO', { result: -1n, errno: ENXIO }, Number.POSITIVE_INFINITY],
  ['EINVAL', { result: -1n, errno: EINVAL }, undefined],
  ['EOPNOTSUPP', { result: -1n, errno: EOPNOTSUPP }, undefined],
])('the answer to %s', ([, answer, found]) => {
  const holes = lseekHoles(binding(answer));
  expect(holes?.nextData(3, 0)).toBe(found);
  expect(holes?.nextHole(3, 0)).toBe(found);
});

test.for<[string, Answer]>([
  ['a position for a descriptor that is not open', { result: 0n }],
  ['another errno', { result: -1n, errno: ENXIO }],
  ['a result of 32 bits', { result: 0xffff_ffffn, errno: EBADF }],
])('a binding that returns %s is not used', ([, badDescriptor]) => {
  expect(lseekHoles(binding({ result: 0n }, badDescriptor))).toBeUndefined();
});

test('a C library without lseek finds no holes', () => {
  expect(lseekHoles({ call: () => undefined, errno: () => 0 })).toBeUndefined();
});
