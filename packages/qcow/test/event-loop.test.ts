import { createDisks, type DiskModule, MemoryDisk } from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { createQcow } from '../src/index.ts';
import { able } from './support/crash-run.ts';
import { FORMATS } from './support/open.ts';

// Long work on an image in memory never waits, so it must yield to the event loop by itself.

const SIZE = 2 ** 28;

/** How often the event loop turned while the work was done. */
async function turnsDuring(work: () => Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false;
  const turn = (): void => {
    turns++;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await work();
  isOver = true;
  return turns;
}

/** A disk of many clusters, all allocated. */
async function fullImage(): Promise<MemoryDisk> {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow(image, { size: SIZE / 4, clusterSize: 512, preallocation: 'metadata' });
  return image;
}

const open = (image: MemoryDisk): Promise<DiskModule> =>
  createDisks({ formats: FORMATS, codecs: zlibCodecs }).open(image, { mountMode: 'rw', format: 'qcow2' });

test('creating, checking and changing a large image let the event loop run', async () => {
  let image = new MemoryDisk(new Uint8Array(0));
  expect(await turnsDuring(async () => (image = await fullImage()))).toBeGreaterThan(2);
  const disk = await open(image);
  const WORK: Readonly<Record<string, () => Promise<unknown>>> = {
    check: () => able(disk, 'check').check(),
    repair: () => able(disk, 'repair').repair({ fix: 'all' }),
    'taking a snapshot': () => able(disk, 'snapshots').snapshots.create('one'),
    'deleting it': () => able(disk, 'snapshots').snapshots.delete('one'),
    discard: () => able(disk, 'discard').discard(0, SIZE / 8),
    'a shorter disk': () => able(disk, 'resize').resize(SIZE / 16, { shrink: true }),
    close: () => disk.close(),
  };
  for (const [name, work] of Object.entries(WORK)) expect(await turnsDuring(work), name).toBeGreaterThan(2);
});
