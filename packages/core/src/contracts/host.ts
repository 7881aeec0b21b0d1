/**
 * What the operating system can do beyond Node's `fs`. Each ability is optional: without it a disk does the same in a slower
 * way. `@diskstack/host` is one for Linux.
 */
export interface Host {
  readonly holes?: Holes | undefined;
  readonly locks?: ByteLocks | undefined;
  readonly space?: FileSpace | undefined;
  readonly clones?: Clones | undefined;
}

/**
 * Asks the file system for the holes of a regular file. An answer is true when it is given; another process may change the
 * file afterwards. A call blocks, and moves the position of the descriptor, so its owner has to read and write at explicit
 * offsets.
 */
export interface Holes {
  /**
   * The first byte of data at or after `offset`. `Infinity` when a hole reaches the end of the file, or when `offset` is at or
   * past the end. `undefined` when the file system does not answer.
   *
   * @throws `ERR_ARGUMENT` for an offset that is not a whole number from 0 to 2^53 - 1
   */
  nextData(fd: number, offset: number): number | undefined;
  /**
   * The first byte of a hole at or after `offset`; the end of a file is one. `Infinity` when `offset` is at or past the end.
   * `undefined` when the file system does not answer.
   *
   * @throws `ERR_ARGUMENT` for an offset that is not a whole number from 0 to 2^53 - 1
   */
  nextHole(fd: number, offset: number): number | undefined;
}

/**
 * Locks on bytes of a file. They belong to the open file of the descriptor, not to the process, and end when it is closed. Another
 * descriptor of the same file, also one of this process, is another owner. They are advice: reads and writes do not ask them.
 */
export interface ByteLocks {
  /**
   * Takes a shared lock on the byte at `offset`: any number of open files may have one. `'refused'` when another open file has an
   * exclusive lock there. `undefined` when the file system has no such locks, or when the descriptor is not open for reading.
   */
  share(fd: number, offset: number): 'taken' | 'refused' | undefined;
  /** Whether another open file has a lock on any of `length` bytes from `offset` on. */
  isLocked(fd: number, offset: number, length: number): boolean;
  /** Gives up the locks that this open file has on `length` bytes from `offset` on. */
  unlock(fd: number, offset: number, length: number): void;
}

/**
 * Frees and reserves the space of files and block devices. The range reads as zeroes afterwards, and the size of the file stays. A
 * call blocks, the longer the more of the range is in memory or in use. On a device a range is in whole sectors.
 *
 * Both functions return false when the file system cannot do it, and throw an error with the `code` of the system (`ENOSPC`, `EIO`)
 * when it fails.
 */
export interface FileSpace {
  /** Frees the space: the range becomes a hole. */
  punch(fd: number, offset: number, length: number): boolean;
  /** Keeps the space, and reserves it where the range has holes: later writes do not run out of it. */
  zero(fd: number, offset: number, length: number): boolean;
}

/** Makes ranges of two regular files share their blocks on disk: no byte is read or written. A call blocks. */
export interface Clones {
  /**
   * Makes `length` bytes of `target` at `to` share the blocks of `source` at `from`. Offsets and lengths are multiples of the block
   * size of the file system. Both arguments are descriptors: `source` readable, `target` writable. What was in the range of the
   * target is lost.
   *
   * @returns false if the two files cannot share this range: another file system, one that shares no blocks, a wrong multiple
   * @throws an error with the name of the `errno` as its `code`: `EIO`, `ENOSPC`, `EDQUOT` …
   */
  cloneRange(source: number, from: number, length: number, target: number, to: number): boolean;
}
