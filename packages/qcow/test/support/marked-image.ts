import { join } from 'node:path';
import { createDisks, type DiskModule } from '@diskstack/core';
import { fileDriver, zlibCodecs } from '@diskstack/core/node';
import { nodePrimitives } from '@diskstack/crypto/node';
import { expect } from 'vitest';
import { bitmapExtentsOf, bitmapsOf } from './bitmaps.ts';
import { keyed } from './keys.ts';
import { FORMATS } from './open.ts';
import { plainSource, qemuImg, qemuIo } from './qemu.ts';

/** The passphrase of encrypted images. */
export const SECRET = 'sesame';
const disks = createDisks({
  formats: FORMATS,
  drivers: [fileDriver()],
  codecs: zlibCodecs,
  ...keyed(SECRET, { crypto: nodePrimitives }),
});

export function open(path: string, mountMode: 'r' | 'rw' = 'r'): Promise<DiskModule> {
  return disks.open(path, { mountMode, format: 'qcow2' });
}

/** What every bitmap of an image says; all of them are consistent. */
export async function bitsOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  await using disk = await open(path);
  const bits: Record<string, unknown> = {};
  for (const { name, consistent, flags } of bitmapsOf(disk)) {
    expect([name, consistent]).toEqual([name, true]);
    bits[name] = { flags, extents: await bitmapExtentsOf(disk, name) };
  }
  return bits;
}

/** Work on an image, which is closed afterwards. */
export async function changed(path: string, work: (disk: DiskModule) => Promise<unknown>): Promise<void> {
  const disk = await open(path, 'rw');
  await work(disk);
  await disk.close();
}

/** An image with three bitmaps, of which two are enabled, and some writes by qemu. */
export async function marked(
  folder: string,
  size = 4 * 1_048_576,
  options = 'compat=1.1',
  ...more: string[]
): Promise<string> {
  const path = join(folder, 'image');
  await qemuImg('create', '-q', '-f', 'qcow2', '-o', options, ...more, path, String(size));
  await qemuIo(plainSource(path, 'qcow2'), ['write -q -P 1 0 200k']);
  await qemuImg('bitmap', '--add', path, 'coarse');
  await qemuImg('bitmap', '--add', '-g', '4k', path, 'fine');
  await qemuIo(plainSource(path, 'qcow2'), ['write -q -P 2 100k 30k']);
  await qemuImg('bitmap', '--add', '--disable', '--merge', 'fine', '-g', '512', path, 'off');
  return path;
}
