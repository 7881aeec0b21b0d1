import type { FileSpace } from '@diskstack/core/node';
import type { Binding } from '../bindings/binding.ts';
import { EBADF, EINVAL, ENOSYS, EOPNOTSUPP } from './errno.ts';
import { errnoOf } from './errno-of.ts';
import { systemError } from './system-error.ts';

/** `mode` of fallocate(2) (linux/falloc.h). */
const FALLOC_FL_KEEP_SIZE = 0x01;
const FALLOC_FL_PUNCH_HOLE = 0x02;
const FALLOC_FL_ZERO_RANGE = 0x10;

/**
 * The file system does not have the operation; `EINVAL`: not for this file or range, as for a part of a sector of a device. The
 * caller writes zeroes then, which fails with its own error if something else is wrong.
 */
const CANNOT: ReadonlySet<number> = new Set([EOPNOTSUPP, ENOSYS, EINVAL]);

/** The space of files by fallocate(2). `undefined` when the binding does not call it as expected. */
export function fallocateSpace(binding: Binding): FileSpace | undefined {
  const fallocate = binding.call('fallocate', ['int32', 'int32', 'int64', 'int64'], 'int32');
  if (fallocate === undefined) return undefined;

  const call = (fd: number, mode: number, offset: number, length: number): number =>
    errnoOf(binding, () => fallocate(fd, mode, BigInt(offset), BigInt(length)));
  // The one failure that is the same everywhere shows that arguments, result and errno arrive.
  if (call(-1, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 1) !== EBADF) return undefined;

  const change =
    (mode: number) =>
    (fd: number, offset: number, length: number): boolean => {
      const errno = call(fd, mode | FALLOC_FL_KEEP_SIZE, offset, length);
      if (errno === 0) return true;
      if (CANNOT.has(errno)) return false;
      throw systemError(errno, 'fallocate');
    };
  return { punch: change(FALLOC_FL_PUNCH_HOLE), zero: change(FALLOC_FL_ZERO_RANGE) };
}
