import type { Binding } from '../bindings/binding.ts';
import { EINTR } from './errno.ts';

/** Makes a system call that returns -1 when it fails, and makes it again after a signal. The error number; 0 for success. */
export function errnoOf(binding: Binding, call: () => number): number {
  for (;;) {
    if (call() !== -1) return 0;
    const errno = binding.errno();
    if (errno !== EINTR) return errno;
  }
}
