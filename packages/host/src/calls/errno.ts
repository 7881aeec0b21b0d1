/** Error numbers of Linux (asm-generic/errno-base.h, asm-generic/errno.h). */
export const EINTR = 4;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
