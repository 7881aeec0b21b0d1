import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { can, createDisks } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { expect, test } from 'vitest';
import { noise } from '../support/content.ts';
import { able } from '../support/crash-run.ts';
import { FORMATS } from '../support/open.ts';
import { checkWithQemu, convertWithQemu, describeWithQemu, qemuImg, qemuIo } from '../support/qemu.ts';
import { tempFolder } from '../support/temp-folder.ts';

const temp = tempFolder();
const run = promisify(execFile);
const disks = createDisks({ formats: FORMATS, drivers: [fileDriver()], codecs: zlibCodecs });
const MiB = 1024 * 1024;
const SOUND = { corruptions: 0, leaks: 0, errors: 0 };

async function created(options: string, ...more: readonly string[]): Promise<string> {
  const path = join(await temp.next(), 'image');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, ...more, path, String(4 * MiB));
  return path;
}

async function patch(path: string, at: number, bytes: Uint8Array): Promise<void> {
  const image = await readFile(path);
  image.set(bytes, at);
  await writeFile(path, image);
}

describeWithQemu('features of an image that is written', () => {
  test('unknown autoclear bits are cleared, unknown compatible bits and extensions are kept', async () => {
    const path = await created('compat=1.1');
    await patch(path, 80, Uint8Array.of(0x40, 0, 0, 0, 0, 0, 0, 0));
    await patch(path, 88, Uint8Array.of(0x40, 0, 0, 0, 0, 0, 0, 0));
    const before = await readFile(path);
    {
      await using disk = await disks.open(path, { mountMode: 'rw' });
      await disk.write(5000, noise(10, 1));
    }
    const after = await readFile(path);
    expect(after.subarray(80, 88)).toEqual(before.subarray(80, 88));
    expect(after.subarray(88, 96)).toEqual(Buffer.alloc(8));
    expect(after.subarray(104, 65_536)).toEqual(before.subarray(104, 65_536));
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('a dirty image has its refcounts made good before the first write', async () => {
    const path = await created('compat=1.1,lazy_refcounts=on');
    const crash = ['-c', 'write -P 7 0 1M', '-c', 'write -P 8 2M 64k', '-c', 'flush', '-c', 'abort'];
    await run('qemu-io', ['-f', 'qcow2', ...crash, path]).catch(() => {});
    expect((await checkWithQemu(path)).corruptions).toBeGreaterThan(0);
    {
      await using disk = await disks.open(path, { mountMode: 'rw' });
      await disk.write(3 * MiB, noise(5000, 3));
    }
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
    const bytes = await convertWithQemu(path, 'qcow2');
    expect(bytes[MiB - 1]).toBe(7);
    expect(bytes[2 * MiB]).toBe(8);
    expect(bytes.subarray(3 * MiB, 3 * MiB + 5000)).toEqual(Buffer.from(noise(5000, 3)));
  });

  test('an image that is marked corrupt is not written before it is repaired', async () => {
    const path = await created('compat=1.1');
    await qemuIo(['-f', 'qcow2', path], ['write -P 7 0 1M']);
    await patch(path, 79, Uint8Array.of(2));
    await patch(path, 2 * 65_536 + 8, new Uint8Array(6)); // refcounts of clusters in use
    await using disk = await disks.open(path, { mountMode: 'rw' });
    await expect(disk.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'ERR_READ_ONLY' });
    if (!can(disk, 'repair')) throw new Error('no repair');
    const dry = await disk.repair({ fix: 'all', dryRun: true });
    expect(dry.corruptionsFixed).toBeGreaterThan(0);
    expect(await disk.repair({ fix: 'all' })).toEqual(dry);
    await disk.write(0, new Uint8Array(1));
    await disk.close();
    expect(await checkWithQemu(path)).toMatchObject(SOUND);
  });

  test('the backing name is changed, and what else the header has is kept', async () => {
    const folder = await temp.next();
    for (const name of ['old', 'new']) await writeFile(join(folder, name), noise(MiB, 9));
    const path = join(folder, 'top');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', 'old', '-F', 'raw', path);
    for (const backing of [
      { name: 'new', format: 'raw' },
      undefined,
      { name: `${'./'.repeat(150)}new`, format: 'raw' },
    ]) {
      await using disk = await disks.open(path, { mountMode: 'rw' });
      if (!can(disk, 'changeBacking')) throw new Error('no changeBacking');
      await disk.changeBacking(backing);
      await disk.close();
      const info = JSON.parse(await qemuImg('info', '--output', 'json', path)) as Record<string, unknown>;
      expect(info['backing-filename']).toBe(backing?.name);
      expect(info['backing-filename-format']).toBe(backing?.format);
      expect(await checkWithQemu(path)).toMatchObject(SOUND);
    }
  });

  test('a file that cannot grow is filled to its end, and then there is no space', async () => {
    const path = await created('cluster_size=4096');
    const start = await readFile(path);
    const { MemoryDisk, borrow } = await import('@diskstack/core');
    const memory = new MemoryDisk(Buffer.concat([start, Buffer.alloc(200 * 4096 - start.length)]));
    const fixed = borrow(memory);
    Object.defineProperty(fixed, 'resize', { value: undefined });
    const disk = await disks.open(fixed, { mountMode: 'rw', format: 'qcow2' });
    const failures: unknown[] = [];
    for (let cluster = 0; cluster < 300; cluster++) {
      await disk.write(cluster * 4096, noise(4096, cluster)).catch((error: unknown) => failures.push(error));
    }
    expect(failures[0]).toMatchObject({ code: 'ERR_NO_SPACE' });
    expect(await able(disk, 'check').check()).toMatchObject({ corruptions: 0, leaks: 0 });
    expect(await disk.read(4096, 4096)).toEqual(noise(4096, 1));
    await disk.close();
  });
});
