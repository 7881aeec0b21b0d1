import { DiskError, type DiskErrorCode } from '../../errors/disk-error.ts';

const MEANING: Readonly<Record<string, readonly [DiskErrorCode, string]>> = {
  ENOENT: ['ERR_NOT_FOUND', 'no such file'],
  ENOTDIR: ['ERR_NOT_FOUND', 'no such file: a part of the path is not a folder'],
  ELOOP: ['ERR_NOT_FOUND', 'the symbolic links of the path form a loop'],
  ENAMETOOLONG: ['ERR_NOT_FOUND', 'no such file: the name is too long'],
  ENXIO: ['ERR_NOT_FOUND', 'no such device'],
  EISDIR: ['ERR_ARGUMENT', 'is a folder, not a disk'],
  EACCES: ['ERR_IO', 'permission denied'],
  EPERM: ['ERR_IO', 'permission denied'],
  EROFS: ['ERR_READ_ONLY', 'the file system is read-only'],
  ENOSPC: ['ERR_NO_SPACE', 'no space left on the device'],
  EDQUOT: ['ERR_NO_SPACE', 'the disk quota is used up'],
  EFBIG: ['ERR_NO_SPACE', 'the file would be larger than the file system allows'],
  EIO: ['ERR_IO', 'the device failed'],
};

/** Converts an error of the file system to a `DiskError` that names the file. */
export function fileError(cause: unknown, layer: string, offset?: number): unknown {
  if (cause instanceof DiskError || !(cause instanceof Error)) return cause;
  const errno = 'code' in cause ? String(cause.code) : '';
  const [code, reason] = MEANING[errno] ?? (['ERR_IO', withoutPath(cause.message)] as const);
  return new DiskError(code, reason, { layer, offset, cause });
}

/** A file that ends earlier than the disk, which had `size` bytes when it was opened. */
export function changedFile(layer: string, offset: number, size: number, end: number): DiskError {
  const reason = `the file had ${size} bytes when it was opened, and now ends at byte ${end}`;
  return new DiskError('ERR_CHANGED', reason, { layer, offset });
}

/** Shortens a message of Node such as `EMFILE: too many open files, open '/the/path'`. The path may come from an image. */
function withoutPath(message: string): string {
  return /^E[A-Z0-9]+: [^,]+/.exec(message)?.[0] ?? message;
}
