import { execFileSync, spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { deviceGeometry } from '../../../src/node/identity/block-device.ts';
import { createOutputFile, FileDisk, fileDriver } from '../../../src/node/index.ts';
import { diskErrorOf, pattern } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const SIZE = 1024 * 1024;
let count = 0;

function file(size: number): string {
  const path = join(folder, `${count++}.img`);
  writeFileSync(path, pattern(Math.min(size, SIZE)));
  truncateSync(path, size);
  return path;
}

/** Why there are no loop devices here, or nothing. */
function missingLoop(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root makes loop devices';
  const found = spawnSync('losetup', ['--find']);
  return found.status === 0 ? undefined : 'losetup finds no loop device';
}

const missing = missingLoop();
const skipped = missing === undefined ? '' : ` [skipped: ${missing}]`;

/** A block device over a file, gone at the end of the test. */
function device(path: string, ...options: string[]): string {
  const name = execFileSync('losetup', ['--find', '--show', ...options, path], { encoding: 'utf8' }).trim();
  onTestFinished(() => {
    execFileSync('losetup', ['--detach', name]);
  });
  return name;
}

test.skipIf(missing)(
  `a block device has the size of the device, and is read and closed${skipped}`,
  async () => {
    const path = device(file(SIZE));
    expect(await fileDriver().kind(path)).toBe('device');
    for (const io of ['sync', 'pool'] as const) {
      await using disk = new FileDisk(path, { io });
      await disk.init();
      expect([disk.size(), disk.blockSize]).toEqual([SIZE, 512]);
      expect(await disk.read(0, SIZE + 1)).toEqual(pattern(SIZE));
      expect(await disk.read(1001, 77)).toEqual(pattern(1078).subarray(1001));
      expect(await disk.read(SIZE, 1)).toHaveLength(0);
    }
  },
);

test.skipIf(missing)(`a block device knows its sectors of 4096 bytes${skipped}`, async () => {
  await using disk = new FileDisk(device(file(SIZE), '--sector-size', '4096'));
  await disk.init();
  expect([disk.size(), disk.blockSize]).toEqual([SIZE, 4096]);
  expect(await disk.read(4095, 2)).toEqual(pattern(4097).subarray(4095));
});

test.skipIf(missing)(`a block device is one extent of data${skipped}`, async () => {
  await using disk = new FileDisk(device(file(SIZE)));
  await disk.init();
  const extents = [];
  for await (const extent of disk.extents(0, undefined, { findHoles: true })) extents.push(extent);
  expect(extents).toEqual([{ offset: 0, length: SIZE, kind: 'data', depth: 0, present: true, at: 0 }]);
});

test.skipIf(missing)(
  `a block device is written in place, and takes part in no renaming${skipped}`,
  async () => {
    const path = device(file(SIZE));
    const output = await createOutputFile(path, 4096);
    expect([output.startsAsZeroes, output.disk.size(), output.disk.location]).toEqual([false, SIZE, path]);
    await output.disk.write(4096, new Uint8Array(4096).fill(0xee));
    await output.commit();
    expect(await fileDriver().kind(path)).toBe('device');
    const bytes = readFileSync(path); // the file below gets them when the last opener of the device is gone
    expect([bytes[4095], bytes[4096], bytes[8191]]).toEqual([pattern(4096)[4095], 0xee, 0xee]);
  },
);

test.skipIf(missing)(`a discarded block device stays${skipped}`, async () => {
  const path = device(file(SIZE));
  await (await createOutputFile(path, 4096)).discard();
  expect(await fileDriver().kind(path)).toBe('device');
});

test.skipIf(missing)(`a read-only block device is not written${skipped}`, async () => {
  const path = device(file(SIZE), '--read-only');
  await using writer = new FileDisk(path, { writable: true });
  const write = (): Promise<number> => writer.init().then(() => writer.write(0, pattern(512, 1))); // one of both fails
  expect((await diskErrorOf(write)).layer).toBe(path);
  await using reader = new FileDisk(path);
  await reader.init();
  expect(await reader.read(0, 8)).toEqual(pattern(8));
});

/** A device number that no system has: nothing is known about it, so its end has to be found by reading. */
const UNKNOWN = 0xf_ff00;

test.for([0, 1, 2, 3, 7, 8, 9, 1000, 2047, 2048, 2049])(
  'without sysfs the end of a device of %d sectors is found by reading',
  async (sectors) => {
    const fd = openSync(file(sectors * 512), 'r');
    try {
      expect(await deviceGeometry(fd, UNKNOWN)).toEqual({ size: sectors * 512, blockSize: 512 });
    } finally {
      closeSync(fd);
    }
  },
);
