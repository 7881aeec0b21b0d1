import { closeSync, openSync, readFileSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { MemoryDisk } from '../../src/disks/memory-disk.ts';
import { createOutputFile, FileDisk } from '../../src/node/index.ts';
import { firstDifference, pattern, patternDisk } from '../../src/testing/index.ts';
import { compareDisks } from '../../src/transfer/compare-disks.ts';
import { copyDisk } from '../../src/transfer/copy-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MiB = 1024 * 1024;
const folder = tempFolder();

test('a pattern arrives in a file as it is', async () => {
  const size = 5 * MiB + 12_345;
  const path = join(folder, 'pattern.img');
  await using source = patternDisk(size);
  await source.init();
  const output = await createOutputFile(path, size);
  await copyDisk(source, output.disk, { targetIsZero: output.startsAsZeroes });
  await output.commit();
  expect(firstDifference(readFileSync(path), pattern(size))).toBeUndefined();
});

test('a sparse file stays sparse', async (context) => {
  const path = join(folder, 'sparse.img');
  const fd = openSync(path, 'w');
  writeSync(fd, pattern(8192), 0, 8192, 20 * MiB);
  closeSync(fd);
  truncateSync(path, 64 * MiB);
  if (statSync(path).blocks * 512 > MiB) context.skip('the file system has no holes');
  await using source = new FileDisk(path);
  await source.init();
  const output = await createOutputFile(join(folder, 'copy.img'), 64 * MiB);
  await copyDisk(source, output.disk, { targetIsZero: output.startsAsZeroes });
  await output.commit();
  await using copy = new FileDisk(join(folder, 'copy.img'));
  await copy.init();
  expect(await compareDisks(source, copy)).toEqual({ identical: true, sizesDiffer: false });
  expect(statSync(join(folder, 'copy.img')).blocks * 512).toBeLessThanOrEqual(64 * 1024);
});

test('the first different byte is reported exactly, at every alignment', async () => {
  const length = 97;
  for (let start = 0; start < 8; start++) {
    const memory = pattern(200);
    const a = new MemoryDisk(memory.subarray(start, start + length)); // words are not aligned here
    await a.init();
    for (let offset = 0; offset < length; offset++) {
      const bytes = memory.slice(start, start + length);
      bytes[offset] = (bytes[offset] ?? 0) ^ 0x80;
      bytes.fill(0xff, offset + 1);
      const b = new MemoryDisk(bytes);
      await b.init();
      expect(await compareDisks(a, b)).toEqual({ identical: false, offset });
      expect(await compareDisks(b, a)).toEqual({ identical: false, offset });
    }
  }
});
