/** Error numbers of Linux (asm-generic/errno-base.h). */
export const EBADF = 9;
export const ENXIO = 6;
