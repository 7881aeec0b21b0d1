/** How operands are written that are the size of a disk. */
export const SIZES = 'Sizes are written as 4096, 4k, 1.5G, 1T.';

/** How operands are written that are offsets and lengths. */
export const BYTES = 'Offsets and lengths are written as 4096, 0x1000, 4k, 1M, 2G, 1T.';
