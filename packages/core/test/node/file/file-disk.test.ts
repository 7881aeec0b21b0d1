import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FileIo } from '../../../src/node/file/call-pace.ts';
import { FileDisk } from '../../../src/node/file/file-disk.ts';
import { describeDiskModule, diskErrorOf, pattern } from '../../../src/testing/index.ts';
import { handlesOn, tellsHandles, tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const SIZE = 1_100_003; // longer than what 'auto' reads without the pool, and no whole number of sectors
let count = 0;

function file(bytes: Uint8Array = pattern(SIZE)): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, bytes);
  return path;
}

for (const io of ['auto', 'sync', 'pool'] as const) {
  const expected = pattern(SIZE);
  describeDiskModule(`FileDisk (${io})`, {
    open: () => new FileDisk(file(), { writable: true, io }),
    expected,
    writable: true,
  });
  const path = file();
  describeDiskModule(`FileDisk for reading (${io})`, { open: () => new FileDisk(path, { io }), expected });
}

describeDiskModule('FileDisk of an empty file', {
  open: () => new FileDisk(file(new Uint8Array(0)), { writable: true }),
  expected: new Uint8Array(0),
  writable: true,
});

test('is a storage: no layer of its own, with sectors of 512 bytes and the path as location', async () => {
  const path = file();
  await using disk = new FileDisk(path);
  await disk.init();
  expect(disk).toMatchObject({ diskType: '', blockSize: 512, location: path, writable: false });
});

test('written bytes are in the file', async () => {
  const path = file();
  await using disk = new FileDisk(path, { writable: true });
  await disk.init();
  await disk.write(1000, Uint8Array.of(1, 2, 3));
  await disk.flush();
  expect([...readFileSync(path).subarray(999, 1004)]).toEqual([
    pattern(1000)[999],
    1,
    2,
    3,
    pattern(1004)[1003],
  ]);
});

test('follows a symbolic link', async () => {
  const link = join(folder, 'link');
  symlinkSync(file(), link);
  await using disk = new FileDisk(link);
  await disk.init();
  expect(await disk.read(8, 8)).toEqual(pattern(16).subarray(8));
});

const place = (name: string): string => join(folder, name);
mkdirSync(place('folder'));
writeFileSync(place('plain'), 'x');
symlinkSync('loop', place('loop'));
symlinkSync('nowhere', place('dangling'));
const hasFifo = process.platform !== 'win32';
if (hasFifo) execFileSync('mkfifo', [place('fifo')]);

test.for([
  ['a missing file', place('missing'), 'ERR_NOT_FOUND', 'no such file'],
  ['a file in a missing folder', place('no/such'), 'ERR_NOT_FOUND', 'no such file'],
  ['a file below a file', place('plain/x'), 'ERR_NOT_FOUND', 'a part of the path is not a folder'],
  ['a link that leads nowhere', place('dangling'), 'ERR_NOT_FOUND', 'no such file'],
  ['a loop of links', place('loop'), 'ERR_NOT_FOUND', 'loop'],
  ['a name that is too long', place('x'.repeat(300)), 'ERR_NOT_FOUND', 'too long'],
  ['a folder', place('folder'), 'ERR_ARGUMENT', 'is a folder'],
] as const)('%s cannot be opened', async ([, path, code, reason]) => {
  for (const writable of [false, true]) {
    await using disk = new FileDisk(path, { writable });
    const error = await diskErrorOf(() => disk.init());
    expect(error).toMatchObject({ code, layer: path });
    expect(error.reason).toContain(reason);
  }
});

test.skipIf(!hasFifo)('a FIFO is refused without waiting for a writer', async () => {
  for (const writable of [false, true]) {
    await using disk = new FileDisk(place('fifo'), { writable });
    expect(await diskErrorOf(() => disk.init())).toMatchObject({
      code: 'ERR_ARGUMENT',
      reason: 'is neither a file nor a block device, not a disk',
    });
  }
});

test('a character device is refused', async () => {
  await using disk = new FileDisk('/dev/null');
  expect((await diskErrorOf(() => disk.init())).code).toBe('ERR_ARGUMENT');
});

const isRoot = process.getuid?.() === 0;
test.skipIf(isRoot)(
  `a file without permission is ERR_IO${isRoot ? ' [skipped: root may read every file]' : ''}`,
  async () => {
    const path = file();
    chmodSync(path, 0);
    await using disk = new FileDisk(path);
    expect(await diskErrorOf(() => disk.init())).toMatchObject({
      code: 'ERR_IO',
      reason: 'permission denied',
    });
  },
);

const READ_ONLY = '/sys/kernel/uevent_seqnum'; // not even root opens it for writing
test.skipIf(!existsSync(READ_ONLY))(
  'a file that must not be written is ERR_IO when asked to, and is read',
  async () => {
    await using disk = new FileDisk(READ_ONLY, { writable: true });
    expect(await diskErrorOf(() => disk.init())).toMatchObject({
      code: 'ERR_IO',
      reason: 'permission denied',
    });
    await using reader = new FileDisk(READ_ONLY);
    await reader.init();
  },
);

describe.each<FileIo>(['auto', 'sync', 'pool'])('a file that shrinks while it is open (%s)', (io) => {
  async function shrunk(to: number) {
    const path = file();
    const disk = new FileDisk(path, { io });
    await disk.init();
    truncateSync(path, to);
    return disk;
  }

  test.for([
    [0, 1],
    [0, SIZE],
    [99_999, 2],
    [100_000, 1],
    [200_000, 10],
    [SIZE - 1, 1],
    [0, 100_001],
  ] as const)('is ERR_CHANGED at %d, %d bytes, with both sizes', async ([offset, length]) => {
    const to = offset === 0 && length === 1 ? 0 : 100_000;
    await using disk = await shrunk(to);
    const error = await diskErrorOf(() => disk.read(offset, length));
    expect(error).toMatchObject({ code: 'ERR_CHANGED', layer: disk.location });
    expect(error.offset).toBeGreaterThanOrEqual(Math.max(offset, to)); // a long read is shared, and either share may fail
    expect(error.reason).toBe(`the file had ${SIZE} bytes when it was opened, and now ends at byte ${to}`);
  });

  test('reads the part that is left', async () => {
    await using disk = await shrunk(100_000);
    expect(await disk.read(0, 100_000)).toEqual(pattern(100_000));
  });
});

test('a file that grows while it is open keeps the size that it had', async () => {
  const path = file();
  await using disk = new FileDisk(path);
  await disk.init();
  truncateSync(path, SIZE + 1000);
  expect(disk.size()).toBe(SIZE);
  expect(await disk.read(SIZE - 3, 1000)).toHaveLength(3);
});

describe.skipIf(!tellsHandles)(
  `handles${tellsHandles ? '' : ' [skipped: this system does not tell which files a process has open]'}`,
  () => {
    test('are read-only by default', async () => {
      const path = file();
      await using reader = new FileDisk(path);
      expect(handlesOn(path)).toEqual([]);
      await reader.init();
      await reader.init();
      expect(handlesOn(path)).toEqual(['reading']);
      await using writer = new FileDisk(path, { writable: true });
      await writer.init();
      expect(handlesOn(path).sort()).toEqual(['both', 'reading']);
    });

    test('are gone after close', async () => {
      const path = file();
      const disk = new FileDisk(path);
      await disk.init();
      const reading = disk.read(0, SIZE);
      await disk.close();
      expect(handlesOn(path)).toEqual([]);
      expect(await reading).toEqual(pattern(SIZE));
    });

    test.for(['folder', 'fifo'])('are gone after an init that failed: a %s', async (name) => {
      const disk = new FileDisk(place(name), { writable: name === 'fifo' });
      await diskErrorOf(() => disk.init());
      expect(handlesOn(place(name))).toEqual([]);
      await disk.close();
    });

    test('are never opened when the signal has fired', async () => {
      const path = file();
      await using disk = new FileDisk(path);
      const error = await diskErrorOf(() => disk.init({ signal: AbortSignal.abort() }));
      expect(error.code).toBe('ERR_ABORTED');
      expect(handlesOn(path)).toEqual([]);
    });
  },
);

test.for([
  ['auto', true],
  ['pool', true],
  ['sync', false],
] as const)('%s: a long read ahead leaves this thread to the caller: %s', async ([io, waits]) => {
  await using disk = new FileDisk(file(), { io });
  await disk.init();
  const into = new Uint8Array(SIZE - 8);
  const reading = disk.readInto(8, into, { ahead: true });
  expect(reading !== undefined).toBe(waits);
  await reading;
  expect(Buffer.compare(into, pattern(SIZE).subarray(8))).toBe(0);
});
