import { startsWithAt } from '@diskstack/core/format';

/**
 * Whether a sector is the boot sector of a file system (FAT, exFAT, NTFS, ReFS). It ends in 0x55aa as an MBR does, but has
 * boot code or text in the place of the records. The fields are those of Microsoft's FAT specification (`BPB_…`).
 */
export function isFileSystemBootSector(sector: Uint8Array): boolean {
  const jumps = sector[0] === 0xe9 || (sector[0] === 0xeb && sector[2] === 0x90);
  if (!jumps) return false;
  return OEM_NAMES.some((name) => startsWithAt(sector, 3, name)) || hasFatParameters(sector);
}

const OEM_NAMES = ['EXFAT   ', 'NTFS    ', 'ReFS\0\0\0\0'].map((name) =>
  [...name].map((letter) => letter.charCodeAt(0)),
);

function hasFatParameters(sector: Uint8Array): boolean {
  const view = new DataView(sector.buffer, sector.byteOffset, sector.byteLength);
  const bytesPerSector = view.getUint16(11, true);
  const sectorsPerCluster = view.getUint8(13);
  const reservedSectors = view.getUint16(14, true);
  const fats = view.getUint8(16);
  const media = view.getUint8(21);
  return (
    isPowerOfTwo(bytesPerSector) &&
    bytesPerSector >= 512 &&
    bytesPerSector <= 4096 &&
    isPowerOfTwo(sectorsPerCluster) &&
    reservedSectors > 0 &&
    (fats === 1 || fats === 2) &&
    (media === 0xf0 || media >= 0xf8)
  );
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}
