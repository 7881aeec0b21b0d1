import { bytes, decodeText, offset64, SECTOR, struct, u32 } from '@diskstack/core/format';
import { lvmCrc } from './checksum.ts';

/** lvm2 `lib/label/label.h`, `struct label_header`. */
const LABEL_HEADER = struct('little', {
  id: bytes(8),
  sector: offset64,
  crc: u32,
  offset: u32,
  type: bytes(8),
});

const LABEL_ID = 'LABELONE';
const LVM2_TYPE = 'LVM2 001';
/** The label is in one of the first four sectors. */
export const LABEL_SCAN_SECTORS = 4;

/** A valid label. */
export interface Label {
  /** Number of the sector that holds the label. */
  readonly sector: number;
  /** The byte of the disk at which the PV header starts. */
  readonly headerAt: number;
}

/** Whether a sector starts with the id of a label. */
export function isLabel(sector: Uint8Array): boolean {
  return decodeText(sector.subarray(0, 8)) === LABEL_ID;
}

/** Decodes the label in sector `number`, or returns the reason why it is invalid. */
export function decodeLabel(sectorBytes: Uint8Array, number: number): Label | string {
  const { sector, crc, offset, type } = LABEL_HEADER.decode(sectorBytes, number * SECTOR);
  if (decodeText(type) !== LVM2_TYPE) return `the label in sector ${number} has another type than "LVM2 001"`;
  if (sector !== number) return `the label in sector ${number} records that it is in sector ${sector}`;
  const found = lvmCrc(sectorBytes.subarray(LABEL_HEADER.at.offset, SECTOR));
  if (found !== crc)
    return `the label in sector ${number} has the CRC ${hex32(found)}, but it records ${hex32(crc)}`;
  if (offset < LABEL_HEADER.size || offset >= SECTOR)
    return `the label in sector ${number} has the PV header at byte ${offset}; ${LABEL_HEADER.size} to ${SECTOR - 1} are possible`;
  return { sector, headerAt: number * SECTOR + offset };
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
