import { can, createDisks, type DiskModule, type OpenOptions, type ServiceOptions } from '@diskstack/core';
import { raw } from '@diskstack/raw';
import { type QcowInfo, qcow, qcow2 } from '../../src/index.ts';

/** The formats that the tests stack. */
export const FORMATS = [raw, qcow, qcow2] as const;

/** Opens an image in memory. Default: with the portable codecs. */
export function openBytes(
  image: Uint8Array,
  options: OpenOptions & { readonly services?: Partial<ServiceOptions> } = {},
): Promise<DiskModule> {
  const { services, ...open } = options;
  return createDisks({ formats: FORMATS, ...services }).open(image, open);
}

/** The same for an image on a disk, which is the opened disk's from then on. */
export function openDisk(
  image: DiskModule,
  options: OpenOptions & { readonly services?: Partial<ServiceOptions> } = {},
): Promise<DiskModule> {
  const { services, ...open } = options;
  return createDisks({ formats: FORMATS, ...services }).open(image, open);
}

/** Opens an image held in memory, reads a range and closes it. */
export async function readBytes(
  image: Uint8Array,
  offset: number,
  length: number,
  options: Parameters<typeof openBytes>[1] = {},
): Promise<Uint8Array> {
  await using disk = await openBytes(image, options);
  return await disk.read(offset, length);
}

/** What a QCOW disk reports about itself. */
export function infoOf(disk: DiskModule): QcowInfo {
  if (!can(disk, 'info')) throw new Error('the disk has no info');
  return disk.info() as QcowInfo;
}
