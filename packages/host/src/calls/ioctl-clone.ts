import type { Clones } from '@diskstack/core/node';
import type { Binding } from '../bindings/binding.ts';
import { EBADF, EINVAL, ENOTTY, EOPNOTSUPP, EPERM, ETXTBSY, EXDEV } from './errno.ts';
import { errnoOf } from './errno-of.ts';
import { systemError } from './system-error.ts';

/** `FICLONERANGE` of ioctl_ficlonerange(2): `_IOW(0x94, 13, struct file_clone_range)`. */
const FICLONERANGE = 0x4020940dn;
/** `struct file_clone_range` (linux/fs.h): `src_fd`, `src_offset`, `src_length`, `dest_offset`, each of 64 bits. */
const FILE_CLONE_RANGE_BYTES = 32;

/** These two files cannot share blocks, or not this range of them: the manual page names them. Every other errno is a failure. */
const CANNOT_SHARE: ReadonlySet<number> = new Set([EXDEV, EOPNOTSUPP, EINVAL, ENOTTY, EPERM, EBADF, ETXTBSY]);

/** Clones by ioctl(2). `undefined` when the binding does not call it as expected. */
export function ioctlClone(binding: Binding): Clones | undefined {
  const ioctl = binding.call('ioctl', ['int32', 'int64', 'pointer'], 'int32');
  if (ioctl === undefined) return undefined;
  const bytes = new Uint8Array(FILE_CLONE_RANGE_BYTES);
  const range = new BigInt64Array(bytes.buffer); // in the byte order of this machine, as the kernel reads it
  const call = (target: number): number => errnoOf(binding, () => ioctl(target, FICLONERANGE, bytes));
  // The one failure that is the same everywhere shows that arguments, result and errno arrive.
  if (call(-1) !== EBADF) return undefined;
  return {
    cloneRange(source, from, length, target, to) {
      if (length === 0) return true; // the kernel takes 0 for "up to the end of the file"
      range[0] = BigInt(source);
      range[1] = BigInt(from);
      range[2] = BigInt(length);
      range[3] = BigInt(to);
      const errno = call(target);
      if (errno === 0) return true;
      if (CANNOT_SHARE.has(errno)) return false;
      throw systemError(errno, 'ioctl_ficlonerange');
    },
  };
}
