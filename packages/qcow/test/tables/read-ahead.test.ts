import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { MemoryDisk } from '@diskstack/core';
import { faultDisk } from '@diskstack/core/testing';
import { expect, test } from 'vitest';
import { openDisk } from '../support/open.ts';
import { describeWithQemu, qemuImg } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** Guest bytes of an L2 table of 512 bytes. */
const COVERAGE = 64 * 512;

describeWithQemu('L2 tables of a storage that waits', () => {
  const temp = tempFolder();

  test('the next table is read with the one before it, where reads go in order', async () => {
    const path = join(await temp.next(), 'disk');
    await qemuImg('create', '-f', 'qcow2', '-o', 'cluster_size=512,preallocation=metadata', path, '256k');
    const storage = faultDisk(new MemoryDisk(await readFile(path)), { delayMs: () => 1 });
    await using disk = await openDisk(storage, { format: 'qcow2' });

    /** Reads below that a read of guest bytes causes, once what it began is over. */
    const readsFor = async (table: number): Promise<number> => {
      const before = storage.reads;
      await disk.read(table * COVERAGE, 512);
      await new Promise((resolve) => setTimeout(resolve, 10));
      return storage.reads - before;
    };
    expect(await readsFor(6)).toBe(2); // a table, and the data
    expect(await readsFor(0)).toBe(2);
    expect(await readsFor(1)).toBe(3); // in order from here on: the table of 2 too
    expect(await readsFor(2)).toBe(1);
    expect(await readsFor(7)).toBe(2); // the last table has none after it
  });
});
