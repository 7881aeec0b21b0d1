/** A window of 4 KiB: what qemu writes, and the most that every reader of QCOW2 has. */
export const WINDOW_BITS = 12;
/** zlib's most: a larger hash for the same window, as qemu has it. */
export const MEMORY_LEVEL = 9;
