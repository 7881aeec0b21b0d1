import { createDisks, DiskError, type DiskModule, MemoryDisk } from '@diskstack/core';
import { zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { createQcow } from '../../../src/index.ts';
import { bitmapExtentsOf, bitmapsOf } from '../../support/bitmaps.ts';
import { noise, random } from '../../support/content.ts';
import { able } from '../../support/crash-run.ts';
import { FailingDisk } from '../../support/failing-disk.ts';
import { FORMATS } from '../../support/open.ts';

const SIZE = 100_352;
const disks = createDisks({ formats: FORMATS, codecs: zlibCodecs });

function open(disk: MemoryDisk | Uint8Array, mountMode: 'r' | 'rw'): Promise<DiskModule> {
  return disks.open(disk, { mountMode, format: 'qcow2' });
}

/** An image with content, a snapshot and bitmaps. */
async function marked(): Promise<{ readonly bytes: Uint8Array; readonly start: Uint8Array }> {
  const image = new MemoryDisk(new Uint8Array(0));
  await image.init();
  await createQcow(image, { size: SIZE, clusterSize: 1024 });
  const disk = await open(image, 'rw');
  await disk.write(0, noise(60_000, 1));
  await able(disk, 'snapshots').snapshots.create('one');
  await disk.write(30_000, noise(10_000, 2));
  const { bitmapStore } = able(disk, 'bitmapStore');
  await bitmapStore.add({ name: 'fine', granularity: 512 });
  await bitmapStore.add({ name: 'coarse', granularity: 8192 });
  await bitmapStore.add({ name: 'off', auto: false });
  const start = await disk.read(0, SIZE);
  await disk.close();
  return { bytes: image.bytes, start };
}

/** Changes of every kind; each may fail. */
function deeds(disk: DiskModule): readonly (() => Promise<unknown>)[] {
  const next = random(5);
  const { bitmapStore } = able(disk, 'bitmapStore');
  const write = () => disk.write(next(SIZE - 5000), noise(1 + next(5000), next(100)));
  return [
    write,
    write,
    () => able(disk, 'resize').resize(SIZE + 2_000_000),
    write,
    () => bitmapStore.add({ name: 'new', granularity: 512 }),
    () => able(disk, 'discard').discard(10_000, 9000),
    async () => bitmapStore.merge('coarse', able(disk, 'bitmapExtents').bitmapExtents('fine')),
    write,
    () => able(disk, 'resize').resize(SIZE, { shrink: true }),
    write,
    () => able(disk, 'snapshots').snapshots.apply('one'),
    write,
    () => bitmapStore.remove('off'),
    () => able(disk, 'writeZeroes').writeZeroes(20_000, 3000),
  ];
}

/** Why the bitmaps of an image are wrong: a trusted one lacks changes. `undefined` when they are right. */
async function judge(bytes: Uint8Array, start: Uint8Array): Promise<{ wrong?: string; believed: number }> {
  await using disk = await open(bytes, 'r');
  const report = await able(disk, 'check').check();
  if (report.corruptions + report.errors > 0)
    return { wrong: JSON.stringify(report.findings.slice(0, 3)), believed: 0 };
  const content = await disk.read(0, disk.size());
  let believed = 0;
  for (const { name, consistent, flags } of bitmapsOf(disk)) {
    if (!consistent || !flags.includes('auto') || name === 'new') continue;
    believed++;
    for (const { offset, length, dirty } of await bitmapExtentsOf(disk, name)) {
      for (let at = offset; !dirty && at < Math.min(offset + length, SIZE); at++)
        if (content[at] !== start[at]) return { wrong: `${name} calls byte ${at} clean`, believed };
    }
  }
  return { believed };
}

test.for([
  [1, 'heals'],
  [2, 'heals'],
  [1e9, 'fails for good'],
] as const)(
  'any change fails, %i times, and the disk %s: no bitmap that is believed says too little',
  async ([times, end]) => {
    const { bytes, start } = await marked();
    const failures: string[] = [];
    const seen = new Set<number>();
    for (let from = 1; from < 10_000; from += from < 40 ? 1 : 2) {
      const storage = new FailingDisk(bytes.slice(), from, times, new DiskError('ERR_IO', 'told to fail'));
      const disk = await open(storage, 'rw');
      const errors: unknown[] = [];
      for (const deed of deeds(disk)) await deed().catch((error: unknown) => errors.push(error));
      if (end === 'heals') {
        storage.heal();
        await disk.write(70_000, noise(1000, 3)).catch((error: unknown) => errors.push(error));
      }
      await disk.close().catch((error: unknown) => errors.push(error));
      for (const error of errors)
        if (!(error instanceof DiskError)) failures.push(`change ${from}: ${error}`);
      const { wrong, believed } = await judge(storage.bytes, start);
      if (wrong !== undefined) failures.push(`change ${from}: ${wrong}`);
      seen.add(believed);
      if (from > storage.changes) break;
    }
    expect(failures.slice(0, 5)).toEqual([]);
    expect(seen.has(2)).toBe(true);
  },
);
