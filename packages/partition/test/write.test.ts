import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createDisks } from '@diskstack/core';
import { fileDriver } from '@diskstack/core/node';
import { diskErrorOf } from '@diskstack/core/testing';
import { raw } from '@diskstack/raw';
import { expect, test } from 'vitest';
import { partition } from '../src/index.ts';
import { tempFolder } from './support/temp-folder.ts';

const fixtures = new URL('./fixtures/partitions/', import.meta.url).pathname;
const folder = tempFolder();
execFileSync('tar', ['xzf', join(fixtures, 'disks.tar.gz'), '-C', folder]);
const image = join(folder, 'mbr-4primary.img');
const disks = createDisks({ formats: [raw], drivers: [fileDriver()], layouts: [partition] });
const START = 1056256;
const SIZE = 2097152;

test('a write to a partition changes its bytes of the disk, and no others', async () => {
  execFileSync('chmod', ['u+w', image]);
  const expected = new Uint8Array(readFileSync(image));
  const bytes = new Uint8Array(1000).fill(0xa7);
  expected.set(bytes, START + 300);
  expected.set(bytes, START + SIZE - bytes.length);
  {
    await using disk = await disks.openLayer(`${image}#p2`, { mountMode: 'rw' });
    expect(disk.writable).toBe(true);
    expect(await disk.write(300, bytes)).toBe(1000);
    expect(await disk.write(SIZE - bytes.length, bytes)).toBe(1000);
    expect(await disk.read(299, 3)).toEqual(Uint8Array.of(expected[START + 299] ?? 0, 0xa7, 0xa7));
    const error = await diskErrorOf(() => disk.write(SIZE - 999, bytes));
    expect(error.code).toBe('ERR_OUT_OF_BOUNDS');
  }
  expect(Buffer.compare(readFileSync(image), expected)).toBe(0);
});

test('a partition of a disk that was opened for reading takes no write', async () => {
  await using disk = await disks.openLayer(`${image}#p2`);
  expect(disk.writable).toBe(false);
  expect((await diskErrorOf(() => disk.write(0, new Uint8Array(1)))).code).toBe('ERR_READ_ONLY');
});
