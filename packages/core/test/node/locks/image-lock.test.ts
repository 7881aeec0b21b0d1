import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createOutputFile, FileDisk, lockFile } from '../../../src/node/index.ts';
import { diskErrorOf } from '../../../src/testing/index.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const folder = tempFolder();
const locks = (): string[] => readdirSync(folder).filter((name) => name.endsWith('.lock'));

function fresh(name: string): string {
  const path = join(folder, name);
  writeFileSync(path, new Uint8Array(4096));
  return path;
}

async function opened(path: string): Promise<FileDisk> {
  const disk = new FileDisk(path, { writable: true });
  await disk.init();
  return disk;
}

test('a lock lasts until all who hold it in this process have given it up', async () => {
  const path = fresh('twice.img');
  const [first, second] = [await lockFile(path), await lockFile(path)];
  first();
  first(); // once more is nothing
  expect(locks()).toHaveLength(1);
  second();
  expect(locks()).toEqual([]);
});

test('closing a disk keeps the locks of others, and their closing keeps its lock', async () => {
  const path = fresh('both.img');
  const early = await opened(path);
  const unlock = await lockFile(path);
  await early.close();
  expect(locks()).toHaveLength(1);
  const late = await opened(path);
  unlock();
  expect(locks()).toHaveLength(1);
  await late.close();
  expect(locks()).toEqual([]);
});

test('an output does not replace a file that this process has open for writing', async () => {
  const path = fresh('open.img');
  const disk = await opened(path);
  expect((await diskErrorOf(() => createOutputFile(path, 512))).code).toBe('ERR_LOCKED');
  await disk.close();
  const output = await createOutputFile(path, 512);
  await output.discard();
  expect(locks()).toEqual([]);
});
