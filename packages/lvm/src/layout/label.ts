import { bytes, decodeText, offset64, struct, u32 } from '@diskstack/core';
import { SECTOR } from '../units.ts';
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
/** A label is in one of this many first sectors. */
export const LABEL_SCAN_SECTORS = 4;

/** Where a label says that the PV header is. */
export interface Label {
  /** Sector of the label. */
  readonly sector: number;
  /** Byte of the disk where the PV header begins. */
  readonly headerAt: number;
}

/** Whether a sector begins as a label does. */
export function isLabel(sector: Uint8Array): boolean {
  return decodeText(sector.subarray(0, 8)) === LABEL_ID;
}

/** The label in a sector, or why it is none. */
export function decodeLabel(sectorBytes: Uint8Array, number: number): Label | string {
  const { sector, crc, offset, type } = LABEL_HEADER.decode(sectorBytes, number * SECTOR);
  if (decodeText(type) !== LVM2_TYPE) return 'a label of another type than LVM2';
  if (sector !== number) return `the label says that it is in sector ${sector}, and is in sector ${number}`;
  const found = lvmCrc(sectorBytes.subarray(LABEL_HEADER.at.offset, SECTOR));
  if (found !== crc)
    return `the label in sector ${number} has the CRC ${hex32(found)}, ${hex32(crc)} is recorded`;
  if (offset < LABEL_HEADER.size || offset >= SECTOR)
    return `the PV header is ${offset} bytes into the sector of its label, which has ${SECTOR}`;
  return { sector, headerAt: number * SECTOR + offset };
}

function hex32(value: number): string {
  return `0x${value.toString(16).padStart(8, '0')}`;
}
