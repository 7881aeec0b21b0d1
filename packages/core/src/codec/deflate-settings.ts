/** A window of 4 KiB, as in qemu: the largest that every reader of QCOW2 supports. */
export const WINDOW_BITS = 12;
/** The maximum of zlib, as in qemu: a larger hash table for the same window. */
export const MEMORY_LEVEL = 9;
