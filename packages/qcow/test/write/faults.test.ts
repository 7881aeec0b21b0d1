import { link, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createDisks, DiskError, MemoryDisk } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { createQcow } from '../../src/index.ts';
import { noise, random } from '../support/content.ts';
import { able, openCrashed } from '../support/crash-run.ts';
import { FailingDisk } from '../support/failing-disk.ts';
import { FORMATS } from '../support/open.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder();
const SIZE = 200_192;
const NONE = new Uint8Array(0);

async function emptyImage(): Promise<Uint8Array> {
  const image = new MemoryDisk(NONE);
  await image.init();
  await createQcow(image, { size: SIZE, clusterSize: 1024 });
  return image.bytes;
}

/** Runs operations. Returns the expected content after each of them, also after failed ones. */
async function work(disk: Awaited<ReturnType<typeof openCrashed>>, errors: unknown[]): Promise<Uint8Array[]> {
  const next = random(7);
  const states = [new Uint8Array(SIZE)];
  const attempt = async (deed: () => Promise<unknown>, after: (model: Uint8Array) => void): Promise<void> => {
    const model = (states.at(-1) as Uint8Array).slice();
    after(model);
    states.push(model);
    await deed().catch((error: unknown) => errors.push(error));
  };
  for (let count = 0; count < 20; count++) {
    const offset = next(SIZE - 9000);
    const data = noise(1 + next(9000), count);
    await attempt(
      () => disk.write(offset, data),
      (model) => model.set(data, offset),
    );
    if (count % 5 === 2)
      await attempt(
        () => able(disk, 'snapshots').snapshots.create(`s${count}`),
        () => {},
      );
    if (count % 7 === 3)
      await attempt(
        () => able(disk, 'discard').discard(offset, 5000),
        (model) => model.fill(0, offset, offset + 5000),
      );
    if (count === 17)
      await attempt(
        () => able(disk, 'snapshots').snapshots.delete('s2'),
        () => {},
      );
    if (count % 4 === 1)
      await attempt(
        () => able(disk, 'flush').flush(),
        () => {},
      );
  }
  return states;
}

test.for([
  ['EIO', 'ERR_IO', 1],
  ['ENOSPC', 'ERR_NO_SPACE', 1],
  ['ENOSPC, and again', 'ERR_NO_SPACE', 3],
] as const)(
  '%s at any change: a typed error, a good image, and later writes work',
  async ([, code, times]) => {
    const empty = await emptyImage();
    const failure = new DiskError(code, 'told to fail');
    for (let from = 1; from < 10_000; from += from < 20 ? 1 : 3) {
      const storage = new FailingDisk(empty.slice(), from, times, failure);
      const disk = await openCrashed(storage, NONE, 'rw');
      const errors: unknown[] = [];
      const states = await work(disk, errors);
      const { changes } = storage;
      storage.heal();
      const last = noise(3000, from);
      await disk.write(1500, last);
      await disk.close();
      for (const error of errors) expect(error).toMatchObject({ name: 'DiskError' });
      if (changes < from) {
        expect(from).toBeGreaterThan(100);
        return; // nothing was left to fail
      }
      await using again = await openCrashed(storage.bytes, NONE);
      const report = await able(again, 'check').check();
      expect(report, `change ${from}`).toMatchObject({ corruptions: 0, errors: 0 });
      const bytes = await again.read(0, SIZE);
      expect(Buffer.compare(bytes.subarray(1500, 4500), last), `change ${from}`).toBe(0);
      for (let index = 4500; index < SIZE; index++) {
        if (!states.some((state) => state[index] === bytes[index]))
          throw new Error(`change ${from}: byte ${index} is foreign`);
      }
    }
  },
);

test('an image is open for writing only once, by any path, and can be again when it is closed', async () => {
  const folder = await temp.next();
  const path = join(folder, 'image');
  await writeFile(path, await emptyImage());
  await link(path, join(folder, 'same'));
  const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()] });
  const writer = await disks.open(path, { mountMode: 'rw' });
  for (const other of [path, join(folder, 'same')]) {
    expect((await diskErrorOf(() => disks.open(other, { mountMode: 'rw' }))).code).toBe('ERR_LOCKED');
  }
  await writer.write(0, new Uint8Array(10));
  await writer.close();
  await using again = await disks.open(join(folder, 'same'), { mountMode: 'rw' });
  expect(again.writable).toBe(true);
});
