// Measured on files in the page cache.

/** Reads longer than this many bytes are split between this thread and the pool: two threads copy faster than one. */
export const SHARED_BYTES = 1024 * 1024;
/** Bytes that this thread copies before a thread of the pool is awake, in 45 µs. Its share of a read is larger by that. */
export const WAKE_BYTES = 512 * 1024;
/** Read-ahead longer than this many bytes goes to the pool. */
export const AHEAD_BYTES = 512 * 1024;
/** The most bytes of one blocking read: 25 µs from the page cache. */
export const READ_CALL_BYTES = 256 * 1024;
/**
 * The most bytes of one blocking write: 90 µs. For a call with a megabyte the kernel tries to get a page of that size. In a
 * virtual machine that may have to wait for the host, and one file in three takes twice the time.
 */
export const WRITE_CALL_BYTES = 512 * 1024;
/**
 * Writes longer than this many bytes go to the pool. Shorter ones are synchronous, in 0.4 ms: several threads that write to one
 * file wait for each other and use processor time while they wait.
 */
export const WRITE_BYTES = 2 * 1024 * 1024;
