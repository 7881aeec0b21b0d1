import { posix, win32 } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fileLocations } from '../../../src/node/file/file-locations.ts';
import { isWithin } from '../../../src/stack/location-names.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';

describe('the names of files on Windows', () => {
  const names = fileLocations(win32);

  test.for([
    ['C:\\vm\\top.qcow2', 'base.qcow2', 'C:\\vm\\base.qcow2'],
    ['C:\\vm\\top.qcow2', '..\\base.qcow2', 'C:\\vm\\..\\base.qcow2'],
    ['C:\\vm\\top.qcow2', 'sub/base.qcow2', 'C:\\vm\\sub/base.qcow2'],
    ['C:\\vm\\top.qcow2', 'D:\\other\\base.qcow2', 'D:\\other\\base.qcow2'],
    ['C:\\vm\\top.qcow2', 'd:/other/base.qcow2', 'd:/other/base.qcow2'],
    ['C:\\vm\\top.qcow2', '\\images\\base.qcow2', 'C:\\images\\base.qcow2'],
    ['C:\\top.qcow2', 'base.qcow2', 'C:\\base.qcow2'],
    ['\\\\host\\share\\vm\\top.qcow2', 'base.qcow2', '\\\\host\\share\\vm\\base.qcow2'],
    ['\\\\host\\share\\vm\\top.qcow2', '\\images\\base', '\\\\host\\share\\images\\base'],
    ['C:\\vm\\top.qcow2', '\\\\host\\share\\base.qcow2', '\\\\host\\share\\base.qcow2'],
    ['\\\\?\\C:\\vm\\top.qcow2', 'base.qcow2', '\\\\?\\C:\\vm\\base.qcow2'],
    ['top.qcow2', 'base.qcow2', 'base.qcow2'],
    ['file:C:\\vm\\top.qcow2', 'file:base.qcow2', 'C:\\vm\\base.qcow2'],
    [undefined, 'D:\\base.qcow2', 'D:\\base.qcow2'],
    [undefined, '\\base.qcow2', undefined],
    [undefined, 'base.qcow2', undefined],
  ] as const)('seen from %j, %j is %j', ([base, name, expected]) => {
    expect(names.resolve(base, name)).toBe(expected);
  });

  test('a name that depends on the current folder of a drive is refused', async () => {
    const error = await diskErrorOf(async () => names.resolve('C:\\vm\\top.qcow2', 'D:base.qcow2'));
    expect(error.code).toBe('ERR_BACKING_DENIED');
  });

  test.for([
    ['C:\\disk.img', true],
    ['c:disk.img', true],
    ['nbd://host', false],
    ['disk.img', false],
  ] as const)('%j is a path, whatever its colon looks like: %j', ([text, expected]) => {
    expect(names.isPath?.(text)).toBe(expected);
  });

  test.for([
    ['C:\\vm\\a\\disk.img', 'C:\\vm', true],
    ['C:\\vmx\\disk.img', 'C:\\vm', false],
    ['D:\\vm\\disk.img', 'C:\\vm', false],
    ['C:\\vm\\disk.img', 'C:\\', true],
    ['\\\\host\\share\\vm\\disk.img', '\\\\host\\share\\', true],
    ['\\\\host\\other\\vm\\disk.img', '\\\\host\\share\\', false],
    ['\\\\?\\C:\\vm\\disk.img', '\\\\?\\C:\\vm', true],
  ] as const)('%j below %j: %j', ([location, folder, expected]) => {
    expect(isWithin(names, location, folder)).toBe(expected);
  });
});

describe('the names of files elsewhere', () => {
  const names = fileLocations(posix);

  test.for([
    ['/vm/top', 'base', '/vm/base'],
    ['/vm/top', '../base', '/vm/../base'],
    ['/vm/top', '/images/base', '/images/base'],
    ['/vm/top', 'C:\\base', '/vm/C:\\base'],
    ['/top', 'base', '/base'],
    ['top', 'base', 'base'],
    [undefined, '/base', '/base'],
    [undefined, 'base', undefined],
  ] as const)('seen from %j, %j is %j', ([base, name, expected]) => {
    expect(names.resolve(base, name)).toBe(expected);
  });

  test('a drive is no path', () => {
    expect(names.isPath?.('C:\\disk.img')).toBe(false);
  });
});
