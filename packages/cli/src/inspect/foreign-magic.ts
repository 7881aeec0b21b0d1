import type { DiskModule } from '@diskstack/core';
import { imageMagics, type ProbeWindow } from '@diskstack/core/format';

/** A magic number by which other programs recognise a file. */
export interface FoundMagic {
  readonly name: string;
  /** Byte of the file. */
  readonly at: number;
  /**
   * `image`: some program takes the file for an image, which may then name further files. `content`: disks begin with
   * it. In a raw disk that is harmless; any other image would have two formats.
   */
  readonly kind: 'image' | 'content';
}

const ISO_9660_SECTORS = [0x8001, 0x8801, 0x9001];

/** Magic numbers that disks begin with. */
const CONTENT = [
  { name: 'mbr', at: 510, bytes: '\x55\xaa' },
  { name: 'gpt', at: 512, bytes: 'EFI PART' },
  { name: 'gpt', at: 4096, bytes: 'EFI PART' },
  ...ISO_9660_SECTORS.map((at) => ({ name: 'iso9660', at, bytes: 'CD001' })),
] as const;

/** Finds the magic numbers in the file. Reads only a few bytes at each place. */
export async function foreignMagics(file: DiskModule, window: ProbeWindow): Promise<readonly FoundMagic[]> {
  const found: FoundMagic[] = imageMagics(window)
    .filter(({ name }) => name !== 'qcow2') // judged by the formats themselves
    .map(({ name, at }) => ({ name, at, kind: 'image' }));
  for (const { name, at, bytes } of CONTENT) {
    if (at + bytes.length > file.size()) continue;
    if (latin1(await file.read(at, bytes.length)) === bytes) found.push({ name, at, kind: 'content' });
  }
  return found;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
