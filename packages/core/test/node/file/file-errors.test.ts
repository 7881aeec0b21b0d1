import { expect, test } from 'vitest';
import { DiskError } from '../../../src/errors/disk-error.ts';
import { fileError } from '../../../src/node/file/file-errors.ts';

const failure = (code: string, message = `${code}: it failed, open '/a'`): Error =>
  Object.assign(new Error(message), { code });

test.for([
  ['ENOENT', 'ERR_NOT_FOUND', 'no such file'],
  ['ENOTDIR', 'ERR_NOT_FOUND', 'no such file: a part of the path is not a folder'],
  ['ELOOP', 'ERR_NOT_FOUND', 'the symbolic links of the path form a loop'],
  ['ENAMETOOLONG', 'ERR_NOT_FOUND', 'no such file: the name is too long'],
  ['ENXIO', 'ERR_NOT_FOUND', 'no such device'],
  ['EISDIR', 'ERR_ARGUMENT', 'is a folder, not a disk'],
  ['EACCES', 'ERR_IO', 'permission denied'],
  ['EPERM', 'ERR_IO', 'permission denied'],
  ['EROFS', 'ERR_READ_ONLY', 'the file system is read-only'],
  ['ENOSPC', 'ERR_NO_SPACE', 'no space left on the device'],
  ['EIO', 'ERR_IO', 'the device failed'],
  ['EMFILE', 'ERR_IO', 'EMFILE: it failed'],
] as const)('%s is %s: %s', ([errno, code, reason]) => {
  const cause = failure(errno);
  expect(fileError(cause, '/a', 512)).toMatchObject({
    name: 'DiskError',
    code,
    reason,
    layer: '/a',
    offset: 512,
    cause,
  });
});

test('an error without a code keeps its message', () => {
  expect(fileError(new Error('out of luck'), '/a')).toMatchObject({ code: 'ERR_IO', reason: 'out of luck' });
});

test('the path, which may come from an image, is not part of the reason', () => {
  const error = fileError(
    failure('EBUSY', "EBUSY: resource busy or locked, open '/a\u001b[2J'"),
    '/a\u001b[2J',
  );
  expect(error).toMatchObject({
    reason: 'EBUSY: resource busy or locked',
    message: '["/a\\u001b[2J"] EBUSY: resource busy or locked',
  });
});

test('a DiskError passes unchanged, and so does a value that is no error', () => {
  const error = new DiskError('ERR_SHORT_READ', 'no');
  expect(fileError(error, '/a')).toBe(error);
  expect(fileError('no', '/a')).toBe('no');
});
