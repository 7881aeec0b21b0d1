import type { DiskModule } from '@diskstack/core';

/** Bytes by which other programs know what a file is. */
interface Magic {
  readonly name: string;
  /** Byte of the file; a negative one counts from its end. */
  readonly at: number;
  readonly bytes: string;
  /**
   * An `image` is taken for an image by some program, and may then name further files. `content` is what the disk
   * inside of an image begins with: harmless in a raw disk, and a second face of any other image.
   */
  readonly kind: 'image' | 'content';
}

export type FoundMagic = Pick<Magic, 'name' | 'kind'> & { readonly at: number };

const ISO_9660_SECTORS = [0x8001, 0x8801, 0x9001];

const MAGICS: readonly Magic[] = [
  { name: 'vmdk', at: 0, bytes: 'KDMV', kind: 'image' },
  { name: 'vmdk', at: 0, bytes: 'COWD', kind: 'image' },
  { name: 'vhd', at: 0, bytes: 'conectix', kind: 'image' },
  { name: 'vhd', at: -512, bytes: 'conectix', kind: 'image' },
  { name: 'vhd', at: -511, bytes: 'conectix', kind: 'image' }, // footers of old versions have 511 bytes
  { name: 'vhdx', at: 0, bytes: 'vhdxfile', kind: 'image' },
  { name: 'vdi', at: 0x40, bytes: '\x7f\x10\xda\xbe', kind: 'image' },
  { name: 'qed', at: 0, bytes: 'QED\0', kind: 'image' },
  { name: 'parallels', at: 0, bytes: 'WithoutFreeSpace', kind: 'image' },
  { name: 'parallels', at: 0, bytes: 'WithouFreSpacExt', kind: 'image' },
  { name: 'bochs', at: 0, bytes: 'Bochs Virtual HD Image', kind: 'image' },
  { name: 'dmg', at: -512, bytes: 'koly', kind: 'image' },
  { name: 'luks', at: 0, bytes: 'LUKS\xba\xbe', kind: 'image' },
  { name: 'tar (ova)', at: 257, bytes: 'ustar', kind: 'image' },
  { name: 'mbr', at: 510, bytes: '\x55\xaa', kind: 'content' },
  { name: 'gpt', at: 512, bytes: 'EFI PART', kind: 'content' },
  { name: 'gpt', at: 4096, bytes: 'EFI PART', kind: 'content' },
  ...ISO_9660_SECTORS.map((at) => ({ name: 'iso9660', at, bytes: 'CD001', kind: 'content' }) as const),
];

/** Bytes at the start that a VMDK descriptor is looked for in. */
const DESCRIPTOR_BYTES = 2048;

/** The magic numbers of the table that stand in the file. Reads a few bytes at each place, and nothing else. */
export async function foreignMagics(file: DiskModule): Promise<readonly FoundMagic[]> {
  const size = file.size();
  const found: FoundMagic[] = [];
  for (const { name, at: place, bytes, kind } of MAGICS) {
    const at = place < 0 ? size + place : place;
    if (at < 0 || at + bytes.length > size) continue;
    if (latin1(await file.read(at, bytes.length)) === bytes) found.push({ name, at, kind });
  }
  if (isVmdkDescriptor(latin1(await file.read(0, DESCRIPTOR_BYTES))))
    found.push({ name: 'vmdk', at: 0, kind: 'image' });
  return found;
}

/** A VMDK may be a text that names its extents: comments and empty lines, and then the version. */
function isVmdkDescriptor(start: string): boolean {
  if (/^# *disk descriptorfile/i.test(start)) return true;
  const line = start.split('\n').find((text) => !text.startsWith('#') && /[^ \r]/.test(text));
  return /^version=[0-9]+\r?$/.test(line ?? '');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
