import { bits64, bytes, crc32, DiskError, guid, hex, struct, u32 } from '@diskstack/core';

/** UEFI specification, "GPT Header". */
export const GPT_HEADER = struct('little', {
  signature: bytes(8),
  revision: u32,
  headerSize: u32,
  headerCrc32: u32,
  reserved: u32,
  myLba: bits64,
  alternateLba: bits64,
  firstUsableLba: bits64,
  lastUsableLba: bits64,
  diskGuid: guid,
  partitionEntryLba: bits64,
  numberOfPartitionEntries: u32,
  sizeOfPartitionEntry: u32,
  partitionEntryArrayCrc32: u32,
});

export type GptHeader = ReturnType<typeof GPT_HEADER.decode>;

const SIGNATURE = [...'EFI PART'].map((letter) => letter.charCodeAt(0));

export function hasGptSignature(sector: Uint8Array): boolean {
  return SIGNATURE.every((byte, index) => sector[index] === byte);
}

/** A header that is what its CRC says, in the sector that it says. `at` is the byte of the disk where the sector is. */
export function decodeGptHeader(sector: Uint8Array, lba: number, at: number): GptHeader {
  if (!hasGptSignature(sector)) throw new DiskError('ERR_CORRUPT', 'no "EFI PART" is there', { offset: at });
  const header = GPT_HEADER.decode(sector, at);
  const { headerSize, headerCrc32, myLba } = header;
  if (headerSize < GPT_HEADER.size || headerSize > sector.length) {
    const reason = `a header of ${headerSize} bytes, it has ${GPT_HEADER.size} to ${sector.length}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.headerSize });
  }
  const checked = sector.slice(0, headerSize);
  checked.fill(0, GPT_HEADER.at.headerCrc32, GPT_HEADER.at.headerCrc32 + 4);
  const found = crc32(checked);
  if (found !== headerCrc32) {
    const reason = `the header has the CRC ${hex(found)}, ${hex(headerCrc32)} is recorded`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.headerCrc32 });
  }
  if (myLba !== BigInt(lba)) {
    const reason = `the header of sector ${lba} says that it is in sector ${myLba}`;
    throw new DiskError('ERR_CORRUPT', reason, { offset: at + GPT_HEADER.at.myLba });
  }
  return header;
}
