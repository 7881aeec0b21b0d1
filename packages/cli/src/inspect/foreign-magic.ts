import { type DiskModule, imageMagics, type ProbeWindow } from '@diskstack/core';

/** Bytes by which other programs know what a file is. */
export interface FoundMagic {
  readonly name: string;
  /** Byte of the file. */
  readonly at: number;
  /**
   * An `image` is taken for an image by some program, and may then name further files. `content` is what the disk
   * inside of an image begins with: harmless in a raw disk, and a second face of any other image.
   */
  readonly kind: 'image' | 'content';
}

const ISO_9660_SECTORS = [0x8001, 0x8801, 0x9001];

/** What a disk begins with, not an image. */
const CONTENT = [
  { name: 'mbr', at: 510, bytes: '\x55\xaa' },
  { name: 'gpt', at: 512, bytes: 'EFI PART' },
  { name: 'gpt', at: 4096, bytes: 'EFI PART' },
  ...ISO_9660_SECTORS.map((at) => ({ name: 'iso9660', at, bytes: 'CD001' })),
] as const;

/** The magic numbers that are in the file. Reads a few bytes at each place, and nothing else. */
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
