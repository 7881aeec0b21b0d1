import { DiskError } from '@diskstack/core';
import type { Holes } from '@diskstack/core/node';
import type { Binding } from '../bindings/binding.ts';
import { EBADF, ENXIO } from './errno.ts';

/** `whence` of lseek(2) on Linux (linux/fs.h). */
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

/** Holes of files by lseek(2). `undefined` when the binding does not call it as expected. */
export function lseekHoles(binding: Binding): Holes | undefined {
  const lseek = binding.call('lseek', ['int32', 'int64', 'int32'], 'int64');
  if (lseek === undefined) return undefined;
  // The one failure that is the same everywhere shows that arguments, result and errno arrive.
  if (lseek(-1, 0n, SEEK_DATA) !== -1n || binding.errno() !== EBADF) return undefined;

  /** ENXIO is an answer: there is nothing up to the end of the file. After any other errno nothing is known. */
  const seek = (fd: number, offset: number, whence: number): number | undefined => {
    checkOffset(offset);
    const found = lseek(fd, BigInt(offset), whence);
    if (found < 0n) return binding.errno() === ENXIO ? Number.POSITIVE_INFINITY : undefined;
    return found > Number.MAX_SAFE_INTEGER ? Number.POSITIVE_INFINITY : Number(found);
  };
  return {
    nextData: (fd, offset) => seek(fd, offset, SEEK_DATA),
    nextHole: (fd, offset) => seek(fd, offset, SEEK_HOLE),
  };
}

function checkOffset(offset: number): void {
  if (Number.isSafeInteger(offset) && offset >= 0) return;
  const reason = `an offset in a file has to be a whole number from 0 to 2^53 - 1, not ${offset}`;
  throw new DiskError('ERR_ARGUMENT', reason);
}
