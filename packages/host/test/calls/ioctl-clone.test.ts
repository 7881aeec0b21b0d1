import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Binding } from '../../src/bindings/binding.ts';
import { ioctlClone } from '../../src/calls/ioctl-clone.ts';
import { openHost } from '../../src/index.ts';
import { tempFolder } from '../support/temp-folder.ts';

const EIO = 5;
const EBADF = 9;
const EXDEV = 18;
const EINVAL = 22;
const ENOSPC = 28;
const EOPNOTSUPP = 95;

/** A C library that knows `ioctl` alone. It notes the calls on open descriptors, and answers them all with one errno. */
function binding(errno: number, badDescriptor = EBADF) {
  const calls: unknown[][] = [];
  let last = 0;
  const ioctl = (fd: number, request: bigint, bytes: Uint8Array): number => {
    last = fd < 0 ? badDescriptor : errno;
    if (fd >= 0) calls.push([fd, request, ...new BigInt64Array(bytes.slice().buffer)]);
    return last === 0 ? 0 : -1;
  };
  const library: Binding = {
    call: (name) => (name === 'ioctl' ? (ioctl as never) : undefined),
    errno: () => last,
  };
  return { library, calls };
}

test('the range arrives as struct file_clone_range', () => {
  const { library, calls } = binding(0);
  const clones = ioctlClone(library);
  expect(clones?.cloneRange(3, 4096, 2 ** 53 - 4096, 5, 8192)).toBe(true);
  expect(calls).toEqual([[5, 0x4020940dn, 3n, 4096n, 2n ** 53n - 4096n, 8192n]]);
});

test('no bytes are no call: the kernel would take 0 for the rest of the file', () => {
  const { library, calls } = binding(EIO);
  expect(ioctlClone(library)?.cloneRange(3, 0, 0, 5, 0)).toBe(true);
  expect(calls).toEqual([]);
});

test.for([EXDEV, EINVAL, EOPNOTSUPP, EBADF])('errno %i means that the files cannot share', (errno) => {
  expect(ioctlClone(binding(errno).library)?.cloneRange(3, 0, 4096, 5, 0)).toBe(false);
});

test.for([
  [EIO, 'EIO'],
  [ENOSPC, 'ENOSPC'],
] as const)('errno %i is thrown as %s', ([errno, code]) => {
  const clones = ioctlClone(binding(errno).library);
  const thrown = (): unknown => clones?.cloneRange(3, 0, 4096, 5, 0);
  expect(thrown).toThrow(expect.objectContaining({ code }));
});

test('a binding that fails in another way for a descriptor that is not open is not used', () => {
  expect(ioctlClone(binding(0, EINVAL).library)).toBeUndefined();
  expect(ioctlClone({ call: () => undefined, errno: () => 0 })).toBeUndefined();
});

const { clones } = await openHost();

test.runIf(clones !== undefined)('the real call shares a file, or says that it cannot', () => {
  const folder = tempFolder();
  const [from, to] = ['from', 'to'].map((name) => join(folder, name)) as [string, string];
  const bytes = new Uint8Array(8192).fill(7, 0, 4096).fill(9, 4096);
  writeFileSync(from, bytes);
  writeFileSync(to, new Uint8Array(8192));
  const [source, target, reading] = [openSync(from, 'r'), openSync(to, 'r+'), openSync(to, 'r')];
  try {
    const isShared = clones?.cloneRange(source, 4096, 4096, target, 0);
    const expected = new Uint8Array(8192).fill(isShared ? 9 : 0, 0, 4096);
    expect(new Uint8Array(readFileSync(to))).toEqual(expected);
    expect(clones?.cloneRange(source, 0, 4096, reading, 0)).toBe(false); // EBADF: not open for writing
  } finally {
    for (const fd of [source, target, reading]) closeSync(fd);
  }
});
