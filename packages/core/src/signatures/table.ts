import { SECTOR } from '../binary/sector.ts';

/** What a disk holds, by a few of its bytes: data, not code. Sources: the documentation of each format, and libblkid. */

/** Bytes that stand at a place. */
export interface Magic {
  /** Byte of the disk, or where it is on a disk of so many bytes. */
  readonly at: number | ((size: number) => number);
  readonly bytes: Uint8Array;
}

export interface Signature {
  /** As `lsblk` would call it, or shorter. */
  readonly name: string;
  /** All of them have to be there. */
  readonly magic: readonly Magic[];
  /** What it is, where that is known and its content is not read. */
  readonly unread?: string;
}

const KIB = 1024;

function magic(at: Magic['at'], bytes: string | readonly number[]): Magic {
  const codes = typeof bytes === 'string' ? [...bytes].map((letter) => letter.charCodeAt(0)) : bytes;
  return { at, bytes: Uint8Array.from(codes) };
}

function named(name: string, ...places: readonly Magic[]): Signature {
  return { name, magic: places };
}

function unread(name: string, what: string, ...places: readonly Magic[]): Signature {
  return { name, magic: places, unread: `${what}: recognised, and not read` };
}

const MDRAID = [0xfc, 0x4e, 0x2b, 0xa9];
const BCACHE = [
  0xc6, 0x85, 0x73, 0xf6, 0x4e, 0x1a, 0x45, 0xca, 0x82, 0x65, 0xf5, 0x7f, 0x48, 0xba, 0x6d, 0x81,
];
const BCACHEFS = [
  0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
];
const LUKS = 'LUKS\xba\xbe';
const RAID = 'a member of a Linux software RAID (mdraid';

/** Layers that hold other disks. They come first: what they hold often begins where they do. */
export const CONTAINERS: readonly Signature[] = [
  unread('LUKS1', 'an encrypted LUKS 1 volume', magic(0, `${LUKS}\0\x01`)),
  unread('LUKS2', 'an encrypted LUKS 2 volume', magic(0, `${LUKS}\0\x02`)),
  unread('BitLocker', 'a volume encrypted by BitLocker', magic(3, '-FVE-FS-')),
  unread('mdraid', `${RAID} 1.2)`, magic(4 * KIB, MDRAID)),
  unread('mdraid', `${RAID} 1.1)`, magic(0, MDRAID)),
  unread(
    'mdraid',
    `${RAID} 1.0)`,
    magic((size) => Math.floor((size - 8 * KIB) / 4096) * 4096, MDRAID),
  ),
  unread(
    'mdraid',
    `${RAID} 0.90)`,
    magic((size) => Math.floor(size / 65_536) * 65_536 - 65_536, MDRAID),
  ),
  unread('bcache', 'a member of a bcache', magic(4 * KIB + 24, BCACHE)),
  unread('ZFS', 'a member of a ZFS pool', magic(16 * KIB, [1]), magic(16 * KIB + 24, 'version')),
  unread('LDM', 'a Windows dynamic disk (LDM)', magic(3 * KIB, 'PRIVHEAD')),
  ...[0, 512, 1024, 1536].map((at) =>
    unread('LVM2', 'an LVM2 physical volume', magic(at, 'LABELONE'), magic(at + 24, 'LVM2 001')),
  ),
  unread('LVM1', 'an LVM1 physical volume', magic(0, 'HM\x01\0')),
  unread(
    'DDF',
    'a member of a RAID of its controller (DDF)',
    magic((size) => lastSector(size), [0xde, 0x11, 0xde, 0x11]),
  ),
  unread(
    'ISW',
    'a member of a RAID of its controller (Intel)',
    magic((size) => lastSector(size) - 512, 'Intel Raid ISM Cfg Sig. '),
  ),
  unread('Stratis', 'a member of a Stratis pool', magic(516, '!Stra0tis\x86\xff\x02^\x41rh')),
  unread('VDO', 'a VDO volume', magic(0, 'dmvdo001')),
  unread('FileVault', 'an Apple Core Storage volume', magic(88, 'CS')),
  unread('Ceph', 'a Ceph BlueStore', magic(0, 'bluestore block device')),
  unread('VMFS', 'a VMware VMFS volume', magic(1024 * KIB, [0x0d, 0xd0, 0x01, 0xc0])),
  unread('ASM', 'an Oracle ASM disk', magic(32, 'ORCLDISK')),
];

/** What a file system keeps its files in, and what else ends a column of layers. */
export const FILE_SYSTEMS: readonly Signature[] = [
  named('xfs', magic(0, 'XFSB')),
  named('bcachefs', magic(4 * KIB + 24, BCACHEFS)),
  named('btrfs', magic(64 * KIB + 64, '_BHRfS_M')),
  named('ext', magic(KIB + 56, [0x53, 0xef])),
  named('ntfs', magic(3, 'NTFS    ')),
  named('exfat', magic(3, 'EXFAT   ')),
  named('refs', magic(3, 'ReFS\0')),
  named('fat', magic(54, 'FAT'), magic(510, [0x55, 0xaa])),
  named('fat', magic(82, 'FAT32   '), magic(510, [0x55, 0xaa])),
  ...[4, 8, 16, 32, 64].flatMap((page) =>
    ['SWAPSPACE2', 'SWAP-SPACE'].map((text) => named('swap', magic(page * KIB - 10, text))),
  ),
  named('squashfs', magic(0, 'hsqs')),
  named('erofs', magic(KIB, [0xe2, 0xe1, 0xf5, 0xe0])),
  named('f2fs', magic(KIB, [0x10, 0x20, 0xf5, 0xf2])),
  named('nilfs2', magic(KIB + 6, [0x34, 0x34])),
  named('jfs', magic(32 * KIB, 'JFS1')),
  named('reiserfs', magic(64 * KIB + 52, 'ReIsEr')),
  named('reiser4', magic(64 * KIB, 'ReIsEr4')),
  named('gfs2', magic(64 * KIB, [0x01, 0x16, 0x19, 0x70])),
  ...[1, 2, 4, 8].map((block) => named('ocfs2', magic(block * KIB, 'OCFSV2'))),
  named('hfsplus', magic(KIB, 'H+')),
  named('hfsplus', magic(KIB, 'HX')),
  named('hfs', magic(KIB, 'BD')),
  named('apfs', magic(32, 'NXSB')),
  named('ufs', magic(64 * KIB + 0x55c, [0x19, 0x01, 0x54, 0x19])),
  named('ufs', magic(8 * KIB + 0x55c, [0x19, 0x01, 0x54, 0x19])),
  named('ufs', magic(8 * KIB + 0x55c, [0x54, 0x19, 0x01, 0x00])),
  named('iso9660', magic(32 * KIB + 1, 'CD001')),
  named('udf', magic(32 * KIB + 1, 'BEA01')),
  named('cramfs', magic(0, [0x45, 0x3d, 0xcd, 0x28])),
  named('romfs', magic(0, '-rom1fs-')),
  named('minix', magic(KIB + 16, [0x7f, 0x13])),
  named('minix', magic(KIB + 16, [0x8f, 0x13])),
  named('minix', magic(KIB + 16, [0x68, 0x24])),
  named('minix', magic(KIB + 16, [0x78, 0x24])),
];

function lastSector(size: number): number {
  return (Math.floor(size / SECTOR) - 1) * SECTOR;
}
