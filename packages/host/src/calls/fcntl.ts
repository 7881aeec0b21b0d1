import type { ByteLocks } from '@diskstack/core/node';
import type { Binding } from '../bindings/binding.ts';
import { EACCES, EAGAIN, EBADF } from './errno.ts';
import { errnoOf } from './errno-of.ts';

/** Commands of fcntl(2) (asm-generic/fcntl.h). */
const F_OFD_GETLK = 36;
const F_OFD_SETLK = 37;
/** `l_type` (asm-generic/fcntl.h). */
const F_RDLCK = 0;
const F_WRLCK = 1;
const F_UNLCK = 2;

/** `struct flock` of Linux with 64 bits: the offsets of its fields. `l_pid` has to be 0. */
const FLOCK = { type: 0, start: 8, length: 16, size: 32 };

/** Locks on bytes by fcntl(2), "Open file description locks". `undefined` when the binding does not call it as expected. */
export function ofdLocks(binding: Binding): ByteLocks | undefined {
  const fcntl = binding.call('fcntl', ['int32', 'int32', 'pointer'], 'int32');
  if (fcntl === undefined) return undefined;
  const bytes = new Uint8Array(FLOCK.size);
  const type = new Int16Array(bytes.buffer, FLOCK.type, 1);
  const range = new BigInt64Array(bytes.buffer, FLOCK.start, 2);

  const call = (fd: number, command: number, kind: number, offset: number, length: number): number => {
    bytes.fill(0);
    type[0] = kind;
    range[0] = BigInt(offset);
    range[1] = BigInt(length);
    return errnoOf(binding, () => fcntl(fd, command, bytes));
  };
  // The one failure that is the same everywhere shows that arguments, result and errno arrive.
  if (call(-1, F_OFD_GETLK, F_RDLCK, 0, 1) !== EBADF) return undefined;

  return {
    share(fd, offset) {
      const errno = call(fd, F_OFD_SETLK, F_RDLCK, offset, 1);
      if (errno === 0) return 'taken';
      return errno === EAGAIN || errno === EACCES ? 'refused' : undefined;
    },
    isLocked(fd, offset, length) {
      // An exclusive lock is possible only where no other open file has a lock.
      return call(fd, F_OFD_GETLK, F_WRLCK, offset, length) === 0 && type[0] !== F_UNLCK;
    },
    unlock(fd, offset, length) {
      call(fd, F_OFD_SETLK, F_UNLCK, offset, length);
    },
  };
}
