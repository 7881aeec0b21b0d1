import { extName } from './ext.ts';
import { isVmdkDescriptor } from './vmdk-descriptor.ts';

/**
 * Signatures of what a disk or a file may hold: data, not code. Sources: the specification of each format, qemu's block
 * drivers, and libblkid.
 */

/**
 * - `image`: a disk image, which some program opens as a disk of its own
 * - `archive`: a packed or compressed file that may hold an image
 * - `table`: a partition table
 * - `container`: a layer that holds or joins other disks, as RAID and encryption do
 * - `file-system`: a file system or swap space; no further layer is above it
 */
export type ContentKind = 'image' | 'archive' | 'table' | 'container' | 'file-system';

/** Bytes that a disk has at a fixed place. */
export interface Magic {
  /** Byte offset on the disk. Negative: from the end. A function: depends on the size of the disk in bytes. */
  readonly at: number | ((size: number) => number);
  readonly bytes: Uint8Array;
}

export interface Signature {
  /** The name that its own tools use: `'vmdk'`, `'LUKS2'`, `'ext'`. */
  readonly name: string;
  /** For people, with its article: `'a VMDK image'`. */
  readonly title: string;
  readonly kind: ContentKind;
  /** All of them have to match. */
  readonly magic: readonly Magic[];
  /** Recognises a text format by the first bytes of the disk. */
  readonly text?: (head: Uint8Array) => boolean;
  /** Returns the member of a family by the first bytes of the disk: `'ext4'` of `'ext'`. */
  readonly member?: (head: Uint8Array) => string;
}

const KIB = 1024;

function magic(at: Magic['at'], bytes: string | readonly number[]): Magic {
  const codes = typeof bytes === 'string' ? [...bytes].map((letter) => letter.charCodeAt(0)) : bytes;
  return { at, bytes: Uint8Array.from(codes) };
}

/** Returns a function that makes signatures of one kind. */
function rows(kind: ContentKind) {
  return (name: string, title: string, ...places: readonly Magic[]): Signature => ({
    name,
    title,
    kind,
    magic: places,
  });
}

const image = rows('image');
const archive = rows('archive');
const table = rows('table');
const container = rows('container');
const fileSystem = rows('file-system');

const LUKS = 'LUKS\xba\xbe';
const MDRAID = [0xfc, 0x4e, 0x2b, 0xa9];
const RAID = 'a member of a Linux software RAID (mdraid';
const BCACHE = [
  0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
];
const BCACHEFS = [
  0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
];
const UFS1 = [0x54, 0x19, 0x01, 0x00];
const UFS2 = [0x19, 0x01, 0x54, 0x19];
const BOOT_MARK = magic(510, [0x55, 0xaa]);

/** Byte offsets from the end of a disk of `size` bytes. */
const lastSector = (size: number): number => (Math.floor(size / 512) - 1) * 512;
const MDRAID_1_0 = (size: number): number => Math.floor((size - 8 * KIB) / 4096) * 4096;
const MDRAID_0_90 = (size: number): number => Math.floor(size / 65_536) * 65_536 - 65_536;

/**
 * If several signatures of one kind match, the first one counts: containers come before what they hold, because both may begin at
 * the same byte.
 */
export const SIGNATURES: readonly Signature[] = [
  image('vmdk', 'a VMDK image', magic(0, 'KDMV')),
  image('vmdk', 'a VMDK image of ESX', magic(0, 'COWD')),
  image('vmdk', 'a space-efficient VMDK image', magic(0, '\xbe\xba\xfe\xca\0\0\0\0')),
  image('vhd', 'a VHD image', magic(0, 'conectix')),
  image('vhd', 'a VHD image', magic(-512, 'conectix')),
  image('vhd', 'a VHD image', magic(-511, 'conectix')), // footers of old versions have 511 bytes
  image('vhdx', 'a VHDX image', magic(0, 'vhdxfile')),
  image('vdi', 'a VDI image', magic(0x40, '\x7f\x10\xda\xbe')),
  image('qed', 'a QED image', magic(0, 'QED\0')),
  image('qcow2', 'a QCOW image', magic(0, 'QFI\xfb')),
  image('cow', 'a COW image', magic(0, 'OOOM')),
  image('parallels', 'a Parallels image', magic(0, 'WithoutFreeSpace')),
  image('parallels', 'a Parallels image', magic(0, 'WithouFreSpacExt')),
  image('bochs', 'a Bochs image', magic(0, 'Bochs Virtual HD Image')),
  image('cloop', 'a cloop image', magic(0, '#!/bin/sh\n#V2.0 Format\n')),
  image('dmg', 'an Apple disk image', magic(-512, 'koly')),
  image('luks', 'an encrypted LUKS volume', magic(0, LUKS)), // qemu opens one as an image
  image('e01', 'an EnCase image', magic(0, 'EVF\x09\x0d\x0a\xff\0')),
  image('e01', 'an EnCase image', magic(0, 'EVF2\x0d\x0a\x81\0')),
  image('aff', 'an AFF image', magic(0, 'AFF10\x0d\x0a\0')),
  image('android-sparse', 'an Android sparse image', magic(0, '\x3a\xff\x26\xed')),

  archive('tar (ova)', 'a tar archive, as OVA files are', magic(257, 'ustar')),
  archive('gzip', 'a file compressed by gzip', magic(0, '\x1f\x8b\x08')),
  archive('xz', 'a file compressed by xz', magic(0, '\xfd7zXZ\0')),
  archive('zstd', 'a file compressed by zstd', magic(0, '\x28\xb5\x2f\xfd')),
  archive('lz4', 'a file compressed by lz4', magic(0, '\x04\x22\x4d\x18')),
  ...[...'123456789'].map((level) =>
    archive('bzip2', 'a file compressed by bzip2', magic(0, `BZh${level}1AY&SY`)),
  ),
  archive('zip', 'a zip archive', magic(0, 'PK\x03\x04')),
  archive('7z', 'a 7z archive', magic(0, '7z\xbc\xaf\x27\x1c')),
  { ...image('vmdk', 'the descriptor of a VMDK image'), text: isVmdkDescriptor },

  table('mbr', 'a master boot record', BOOT_MARK),
  ...[512, 4096].map((sector) => table('gpt', 'a GUID partition table', magic(sector, 'EFI PART'))),

  container('LUKS1', 'an encrypted LUKS 1 volume', magic(0, `${LUKS}\0\x01`)),
  container('LUKS2', 'an encrypted LUKS 2 volume', magic(0, `${LUKS}\0\x02`)),
  container('BitLocker', 'a volume encrypted by BitLocker', magic(3, '-FVE-FS-')),
  container('mdraid', `${RAID} 1.2)`, magic(4 * KIB, MDRAID)),
  container('mdraid', `${RAID} 1.1)`, magic(0, MDRAID)),
  container('mdraid', `${RAID} 1.0)`, magic(MDRAID_1_0, MDRAID)),
  container('mdraid', `${RAID} 0.90)`, magic(MDRAID_0_90, MDRAID)),
  container('bcache', 'a member of a bcache', magic(4 * KIB + 24, BCACHE)),
  container('ZFS', 'a member of a ZFS pool', magic(16 * KIB, [1]), magic(16 * KIB + 24, 'version')),
  container('LDM', 'a Windows dynamic disk (LDM)', magic(3 * KIB, 'PRIVHEAD')),
  ...[0, 512, 1024, 1536].map((at) =>
    container('LVM2', 'an LVM2 physical volume', magic(at, 'LABELONE'), magic(at + 24, 'LVM2 001')),
  ),
  container('LVM1', 'an LVM1 physical volume', magic(0, 'HM\x01\0')),
  container('DDF', 'a member of a RAID of its controller (DDF)', magic(lastSector, [0xde, 0x11, 0xde, 0x11])),
  container(
    'ISW',
    'a member of a RAID of its controller (Intel)',
    magic((size) => lastSector(size) - 512, 'Intel Raid ISM Cfg Sig. '),
  ),
  container('Stratis', 'a member of a Stratis pool', magic(516, '!Stra0tis\x86\xff\x02^\x41rh')),
  container('VDO', 'a VDO volume', magic(0, 'dmvdo001')),
  container('FileVault', 'an Apple Core Storage volume', magic(88, 'CS')),
  container('Ceph', 'a Ceph BlueStore', magic(0, 'bluestore block device')),
  container('VMFS', 'a VMware VMFS volume', magic(1024 * KIB, [0x0d, 0xd0, 0x01, 0xc0])),
  container('ASM', 'an Oracle ASM disk', magic(32, 'ORCLDISK')),

  fileSystem('xfs', 'an XFS file system', magic(0, 'XFSB')),
  fileSystem('bcachefs', 'a bcachefs file system', magic(4 * KIB + 24, BCACHEFS)),
  fileSystem('btrfs', 'a Btrfs file system', magic(64 * KIB + 64, '_BHRfS_M')),
  {
    ...fileSystem('ext', 'a file system of the ext family', magic(KIB + 56, [0x53, 0xef])),
    member: extName,
  },
  fileSystem('ntfs', 'an NTFS file system', magic(3, 'NTFS    ')),
  fileSystem('exfat', 'an exFAT file system', magic(3, 'EXFAT   ')),
  fileSystem('refs', 'a ReFS file system', magic(3, 'ReFS\0')),
  fileSystem('fat', 'a FAT file system', magic(54, 'FAT'), BOOT_MARK),
  fileSystem('fat', 'a FAT32 file system', magic(82, 'FAT32   '), BOOT_MARK),
  ...[4, 8, 16, 32, 64].flatMap((page) =>
    ['SWAPSPACE2', 'SWAP-SPACE'].map((text) =>
      fileSystem('swap', 'Linux swap space', magic(page * KIB - 10, text)),
    ),
  ),
  fileSystem('squashfs', 'a SquashFS file system', magic(0, 'hsqs')),
  fileSystem('erofs', 'an EROFS file system', magic(KIB, [0xe2, 0xe1, 0xf5, 0xe0])),
  fileSystem('f2fs', 'an F2FS file system', magic(KIB, [0x10, 0x20, 0xf5, 0xf2])),
  fileSystem('nilfs2', 'a NILFS2 file system', magic(KIB + 6, [0x34, 0x34])),
  fileSystem('jfs', 'a JFS file system', magic(32 * KIB, 'JFS1')),
  fileSystem('reiserfs', 'a ReiserFS file system', magic(64 * KIB + 52, 'ReIsEr')),
  fileSystem('reiser4', 'a Reiser4 file system', magic(64 * KIB, 'ReIsEr4')),
  fileSystem('gfs2', 'a GFS2 file system', magic(64 * KIB, [0x01, 0x16, 0x19, 0x70])),
  ...[1, 2, 4, 8].map((block) => fileSystem('ocfs2', 'an OCFS2 file system', magic(block * KIB, 'OCFSV2'))),
  fileSystem('hfsplus', 'an HFS+ file system', magic(KIB, 'H+')),
  fileSystem('hfsplus', 'an HFSX file system', magic(KIB, 'HX')),
  fileSystem('hfs', 'an HFS file system', magic(KIB, 'BD')),
  fileSystem('apfs', 'an APFS container', magic(32, 'NXSB')),
  fileSystem('ufs', 'a UFS2 file system', magic(64 * KIB + 0x55c, UFS2)),
  fileSystem('ufs', 'a UFS2 file system', magic(8 * KIB + 0x55c, UFS2)),
  fileSystem('ufs', 'a UFS1 file system', magic(8 * KIB + 0x55c, UFS1)),
  ...[16, 17, 18].map((sector) =>
    fileSystem('iso9660', 'an ISO 9660 file system', magic(sector * 2 * KIB + 1, 'CD001')),
  ),
  fileSystem('udf', 'a UDF file system', magic(32 * KIB + 1, 'BEA01')),
  fileSystem('cramfs', 'a CramFS file system', magic(0, [0x45, 0x3d, 0xcd, 0x28])),
  fileSystem('romfs', 'a romfs file system', magic(0, '-rom1fs-')),
  ...[0x137f, 0x138f, 0x2468, 0x2478].map((mark) =>
    fileSystem('minix', 'a Minix file system', magic(KIB + 16, [mark & 0xff, mark >> 8])),
  ),
];
