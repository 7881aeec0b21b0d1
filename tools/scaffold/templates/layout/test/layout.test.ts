import { DEFAULT_LIMITS, MemoryDisk } from '@diskstack/core';
import { pattern } from '@diskstack/core/testing';
import type { VolumeSet } from '@diskstack/core/volumes';
import { expect, test } from 'vitest';
import { theName } from '../src/index.ts';
import { ENTRY, MAGIC, TABLE } from '../src/layout/table.ts';

const content = pattern(128 * 1024);

/** A disk with a table of one entry, which leads to the pattern at byte 4096. */
function diskWith(entryCount: number): Uint8Array {
  const bytes = new Uint8Array(4096 + content.length);
  bytes.set(TABLE.encode({ magic: Uint8Array.from(MAGIC), entryCount }));
  bytes.set(ENTRY.encode({ start: 4096, size: content.length }), TABLE.size);
  bytes.set(content, 4096);
  return bytes;
}

async function find(bytes: Uint8Array): Promise<readonly VolumeSet[]> {
  const disk = new MemoryDisk(bytes);
  await disk.init();
  return theName.find([{ disk, path: 'disk' }], { limits: DEFAULT_LIMITS, logger: { warn() {} } });
}

test('a disk without a table has no volumes', async () => {
  expect(await find(new Uint8Array(4096))).toEqual([]);
  expect(await find(new Uint8Array(3))).toEqual([]);
});

test('a table that has more entries than the limit is a problem', async () => {
  const [set] = await find(diskWith(0xffff_ffff));
  expect(set?.problem).toBe(`the table has 4294967295 entries, the limit is ${DEFAULT_LIMITS.maxPartitions}`);
});

// Fails until `readTable` lists the entries. Replace the disk by one that the layout's own tools have made.
test('the volume of an entry is listed, and reads as the disk does there', async () => {
  const [set] = await find(diskWith(1));
  const [volume] = set?.volumes ?? [];
  expect(volume).toMatchObject({ layer: 'p1', start: 4096, size: content.length, status: 'ok' });
  await using disk = await volume?.open();
  expect(await disk?.read(0, content.length)).toEqual(content);
});
