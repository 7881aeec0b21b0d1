import type { ProbeWindow } from '../contracts/probe-window.ts';

/**
 * Formats of disk images, and of files that hold one, by their magic numbers: data, not code. Sources: the specification
 * of each, and qemu's block drivers.
 */
interface ImageSignature {
  /** As qemu or the format's own tools name it. */
  readonly name: string;
  readonly title: string;
  /** Byte of the file; a negative one counts from its end. All are inside the probe window. */
  readonly at: number;
  readonly bytes: readonly number[];
}

/** A magic number that was found. */
export interface ImageMagic {
  readonly name: string;
  readonly title: string;
  /** Byte of the file. */
  readonly at: number;
}

function image(name: string, title: string, at: number, magic: string): ImageSignature {
  return { name, title, at, bytes: [...magic].map((letter) => letter.charCodeAt(0)) };
}

const SIGNATURES: readonly ImageSignature[] = [
  image('vmdk', 'a VMDK image', 0, 'KDMV'),
  image('vmdk', 'a VMDK image of ESX', 0, 'COWD'),
  image('vmdk', 'a space-efficient VMDK image', 0, '\xbe\xba\xfe\xca\0\0\0\0'),
  image('vhd', 'a VHD image', 0, 'conectix'),
  image('vhd', 'a VHD image', -512, 'conectix'),
  image('vhd', 'a VHD image', -511, 'conectix'), // footers of old versions have 511 bytes
  image('vhdx', 'a VHDX image', 0, 'vhdxfile'),
  image('vdi', 'a VDI image', 0x40, '\x7f\x10\xda\xbe'),
  image('qed', 'a QED image', 0, 'QED\0'),
  image('qcow2', 'a QCOW image', 0, 'QFI\xfb'),
  image('cow', 'a COW image', 0, 'OOOM'),
  image('parallels', 'a Parallels image', 0, 'WithoutFreeSpace'),
  image('parallels', 'a Parallels image', 0, 'WithouFreSpacExt'),
  image('bochs', 'a Bochs image', 0, 'Bochs Virtual HD Image'),
  image('cloop', 'a cloop image', 0, '#!/bin/sh\n#V2.0 Format\n'),
  image('dmg', 'an Apple disk image', -512, 'koly'),
  image('luks', 'an encrypted LUKS volume', 0, 'LUKS\xba\xbe'),
  image('e01', 'an EnCase image', 0, 'EVF\x09\x0d\x0a\xff\0'),
  image('e01', 'an EnCase image', 0, 'EVF2\x0d\x0a\x81\0'),
  image('aff', 'an AFF image', 0, 'AFF10\x0d\x0a\0'),
  image('android-sparse', 'an Android sparse image', 0, '\x3a\xff\x26\xed'),
  image('tar (ova)', 'a tar archive, as OVA files are', 257, 'ustar'),
  image('gzip', 'a file compressed by gzip', 0, '\x1f\x8b\x08'),
  image('xz', 'a file compressed by xz', 0, '\xfd7zXZ\0'),
  image('zstd', 'a file compressed by zstd', 0, '\x28\xb5\x2f\xfd'),
  image('lz4', 'a file compressed by lz4', 0, '\x04\x22\x4d\x18'),
  ...[...'123456789'].map((level) => image('bzip2', 'a file compressed by bzip2', 0, `BZh${level}1AY&SY`)),
  image('zip', 'a zip archive', 0, 'PK\x03\x04'),
  image('7z', 'a 7z archive', 0, '7z\xbc\xaf\x27\x1c'),
];

/** Bytes at the start that a VMDK descriptor is looked for in. */
const DESCRIPTOR_BYTES = 2048;

/** The magic numbers of disk images in both ends of a file, whether a registered format reads them or not. */
export function imageMagics({ head, tail, size }: ProbeWindow): readonly ImageMagic[] {
  const found: ImageMagic[] = [];
  for (const { name, title, at: place, bytes } of SIGNATURES) {
    const at = place < 0 ? size + place : place;
    const [window, start] = place < 0 ? [tail, tail.length + place] : [head, place];
    const isThere =
      at >= 0 &&
      start >= 0 &&
      start + bytes.length <= window.length &&
      bytes.every((byte, index) => window[start + index] === byte);
    if (isThere) found.push({ name, title, at });
  }
  if (isVmdkDescriptor(head)) found.push({ name: 'vmdk', title: 'the descriptor of a VMDK image', at: 0 });
  return found;
}

/** A VMDK may be a text that names its extents: comments and empty lines, and then the version. */
function isVmdkDescriptor(head: Uint8Array): boolean {
  const start = String.fromCharCode(...head.subarray(0, DESCRIPTOR_BYTES));
  if (/^# *disk descriptorfile/i.test(start)) return true;
  const line = start.split('\n').find((text) => !text.startsWith('#') && /[^ \r]/.test(text));
  return /^version=[0-9]+\r?$/.test(line ?? '');
}
