/** Error numbers of Linux (asm-generic/errno-base.h, asm-generic/errno.h). */
export const EPERM = 1;
export const EINTR = 4;
export const ENXIO = 6;
export const EBADF = 9;
export const EAGAIN = 11;
export const EACCES = 13;
export const EXDEV = 18;
export const EINVAL = 22;
export const ENOTTY = 25;
export const ETXTBSY = 26;
export const ENOSYS = 38;
export const EOPNOTSUPP = 95;
